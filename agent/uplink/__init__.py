"""What leaves the box, and how nothing of it gets lost.

payload     an IncidentChange → message v1 (product contract), ids, times, CloudEvents attributes
store       state.db: SQLite in WAL with synchronous=FULL, migrations, recovery from a broken file
queue       the outbox's rows in one database: put, take in order, delete, evict
batch       what one transaction puts into it
outbox      the queue on disk and, while the disk refuses, the one in memory; `seq`
seqfile     what is known of `seq` when the database is not
history     the incidents kept on this box, and questions to them
delivery    how far the broker has an incident
snapshots   JPEG of a picture
evidence    the pictures of incidents that stay on the box; clips: their films
own_file    a file that is whole or not there
connection  one MQTT connection: paho, TLS, will, protocol fallback, faults in words
latest      topics of which only the newest content matters
refusals    what the broker does not take; patience
mqtt        the loop that connects, publishes, awaits PUBACKs, deletes, and backs off
topics      the topics of the contract
faults      what goes wrong with a broker, in words
uplink      `Uplink`: what the service talks to
check       DNS, TCP, TLS, login, publish, one after the other, for `vedette doctor`
subscriber  the other side: receives messages
feed        from received messages to news: incidents, gaps, silent nodes
sequence    proves from `seq` and gap messages that nothing is missing
"""
