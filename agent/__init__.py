"""Vedette: an agent beside a camera and a microphone that reports few, true, explained incidents.

Data flows one way, and each package imports only from those below it in this list (tests/test_floors.py):

  cli        the command line: typer commands, tables and messages for people, exit codes
  service    the one place that wires everything: threads, supervision, recordings, drills, pages
  uplink     what leaves the box: outbox on disk, MQTT, Home Assistant, history
  inference  the models: runtimes, model cards, decoding of what they give out
  capture    cameras, microphones and files → frames and blocks of sound on one clock
  scene      the pure core: observations → incidents
  features   numpy functions on pictures and sound, shared with training
  config     the validated configuration
  types      the data that passes between packages; kinds: the kinds of incident
  errors     the error tree, with exit codes and cures

Capture, inference and uplink do not know each other.
"""

__version__ = "0.1.0"
