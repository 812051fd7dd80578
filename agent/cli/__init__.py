"""The command line: typer commands, rendering for people, exit codes. Heavy imports live inside the commands.

One module per command or group: bench, camera, config, demo, detect, digest, doctor, drill, incidents, init, listen,
mask, mic, model, replay, run, service, status (also `set`), support_bundle, track, view, watch, zone.

What they share
  main      the entry point: which commands there are, and how every failure ends
  options   options and arguments of several commands; when: times as people type them; address: of a camera
  output    JSON or tables on stdout, messages on stderr; progress: bars; results: files of measuring commands
  look      looking through a camera for a moment; find: cameras of this network; frigate: those of a Frigate
  checks    what `vedette doctor` looks at
  runner    the command that `vedette watch --run` starts
"""

import os

# Before anybody imports numpy: its linear algebra would start a thread per core, and those wait for the next product of
# two small matrices by spinning, which takes more of a core than the models do. Whoever sets it, is heard.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
