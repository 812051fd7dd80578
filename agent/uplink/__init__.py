"""What leaves the box, and how nothing of it gets lost.

  uplink          `Uplink`: what the service talks to
  messages/       what is said: payloads and topics of the MQTT contract
  storage/        the database and files on the disk
  history/        the incidents kept on this box
  outbox/         messages that wait on the disk until the broker has acknowledged them
  evidence/       pictures and films that stay on the box
  mqtt/           connections to the broker, and what goes out over them
  control/        what may be set and asked over MQTT
  homeassistant/  MQTT discovery of Home Assistant
  subscriber/     the other side: receives what the boxes say, and proves that nothing is missing
  schemas/        JSON Schemas of the payloads: data, no code

Each folder needs only those above it; a test holds them to one direction.
"""
