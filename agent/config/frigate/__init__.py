"""What a configuration of Frigate says, in words of Vedette's: for `vedette camera import-frigate`.

Read from Frigate's code and documentation (0.18 in the making, commit e3fa701). Nothing here writes.

words    YAML → text in tables and lists, and Frigate's {FRIGATE_…} put in
streams  the addresses of its inputs: restreams of go2rtc, logins
zones    its zones as zones with rules
cameras  the whole file → cameras, broker, and in one line each what was left out
"""
