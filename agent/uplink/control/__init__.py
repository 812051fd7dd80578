"""What may be set and asked over MQTT.

commands  the commands and the topics they come on
parsing   from a message to a command, or to a reason why it is refused
replies   the answer, and the topic it goes to
"""
