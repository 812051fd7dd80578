"""The pure core: a time-ordered stream of observations becomes few, true, explained incidents.

Nothing in this package may do I/O, read a clock, start a thread, log, or draw a random number. Time comes in
with the observations.
"""

from agent.scene.policy import Policy
from agent.scene.reorder import LATENESS_NS
from agent.scene.rules.lines import Crossings
from agent.scene.scene import Scene, unlearned

__all__ = ["LATENESS_NS", "Crossings", "Policy", "Scene", "unlearned"]
