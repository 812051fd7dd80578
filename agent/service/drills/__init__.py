"""Drills: a known event goes through the live pipeline, marked as what it is, and must arrive.

plans   which drills there are, and what they play
sounds  the synthesised sounds they play
drill   a drill inside the running agent
client  `vedette drill`: starts one and waits for it at the broker
"""
