"""The broker: connections to it, and what goes out over them.

connection  one MQTT connection: paho, TLS, will, protocol fallback
publisher   the loop that connects, publishes, awaits PUBACKs, deletes, and backs off
dispatch    what goes out over one connection after the other, and what the broker says to it
latest      topics of which only the newest content matters
answers     what is said once, while there is a connection
refusals    what the broker does not take, and when it is tried again
rivals      another box that uses our name
faults      what goes wrong with a broker, in words
check       DNS, TCP, TLS, login, publish, one after the other, for `vedette doctor`
"""
