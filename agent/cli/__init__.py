"""The command line: typer commands, rendering for people, exit codes. Heavy imports live inside the commands."""

import os

# Before anybody imports numpy: its linear algebra would start a thread per core, and those wait for the next product of
# two small matrices by spinning, which takes more of a core than the models do. Whoever sets it, is heard.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
