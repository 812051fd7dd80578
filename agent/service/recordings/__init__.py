"""Recorded observations and films, played again: the same input gives the same incidents, byte for byte.

journal       recorded observations and the configuration they were made under
replay        the pipeline on recordings
replay_files  `vedette replay`: from sources to files
plot          a timeline as one picture
"""
