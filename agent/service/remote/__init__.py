"""What may be set and asked while the agent runs, over MQTT or from this machine, and how that is kept.

control         obeys commands, and says how everything is set
local_socket    the Unix socket in the state folder, for `vedette status` and `vedette set`
settings        what was set, laid over the configuration, back after a restart
timed_settings  settings that hold for a while
retained        which topics the broker keeps for this box
"""
