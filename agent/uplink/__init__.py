"""What leaves the box, and how nothing of it gets lost.

  uplink       `Uplink`: what the service talks to
What is sent
  payload      an IncidentChange → message v1 (product contract), ids, times, CloudEvents attributes
  topics       the topics of the contract
  latest       topics of which only the newest content matters
  answers      what is said once, while there is a connection
  control      what may be set and asked over MQTT: messages → commands
  homeassistant  discovery messages
  snapshots    a picture as JPEG
Kept until it has arrived
  outbox       the queue on disk and, while the disk refuses, the one in memory; merged: both read as one; `seq`
  store        state.db: SQLite in WAL with synchronous=FULL, migrations, recovery from a broken file
  salvage      what can still be read of a broken database
  queue        the outbox's rows in one database: put, take in order, delete, evict
  batch        what one transaction puts into it
  eviction     what is given up when too much waits, and the gap message that names it
  seqfile      what is known of `seq` when the database is not
  pace         how long writing to the disk takes
The broker
  mqtt         the loop that connects, publishes, awaits PUBACKs, deletes, and backs off
  connection   one MQTT connection: paho, TLS, will, protocol fallback, faults in words
  dispatch     what goes out over one connection after the other, and what the broker says to it
  refusals     what the broker does not take; patience
  rivals       another box that uses our name
  faults       what goes wrong with a broker, in words
  check        DNS, TCP, TLS, login, publish, one after the other, for `vedette doctor`
Kept on the box
  history      incidents, and questions to them; likeness: how alike two are
  delivery     how far the broker has an incident
  evidence     the pictures of incidents that stay on the box; clips: their films
  own_file     a file that is whole or not there
The other side
  subscriber   receives messages
  feed         from received messages to news: incidents, gaps, silent nodes
  sequence     proves from `seq` and gap messages that nothing is missing
"""
