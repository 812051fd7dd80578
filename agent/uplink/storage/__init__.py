"""What is kept on the disk, and survives a loss of power.

store        state.db: SQLite in WAL with synchronous=FULL, migrations, recovery from a broken file
salvage      what can still be read of a broken database
atomic_file  a file that is whole or not there
"""
