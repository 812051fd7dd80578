"""Messages that wait on the disk until the broker has acknowledged them, numbered by `seq` without holes.

outbox         the queue on the disk and, while the disk refuses, the one in memory
queue          its rows in one database: put, take in order, delete, evict
merged         both queues read as one
batch          what one transaction puts into it
eviction       what is given up when too much waits, and the gap message that names it
sequence_file  what is known of `seq` when the database is not
write_latency  how long writing to the disk takes
delivery       how far the broker has an incident, asked from outside the running agent
"""
