"""The pure core: a time-ordered stream of observations becomes few, true, explained incidents.

Nothing in this package may do I/O, read a clock, start a thread, log, or draw a random number. Time comes in
with the observations.

  scene            the interface: `Scene.step(observation)` returns what changed
  reorder          observations back in the order of time
  camera           one camera with its sound: observations → clues
People and things
  tracking/        detections → identities (multi-object tracking)
  following        tracks → people and things with a behaviour; behaviour: what a person does
  far_people, lying_looks  what closer looks at parts of the picture add: whom only they show, who lies there
  clutter          what a detector keeps taking for a person
  groups           who is together
  geometry         points, polygons and boxes
What speaks for an incident
  falls            people who go down and stay down
  fusion           what the fusion graph says; rolling_window: the 8 s that it is shown
  fires            fire and smoke, by two judges and a closer look
  hearing          what was heard; alarm_patterns, knocks: rhythms of alarms and of steps
  rules/           zones, lines, hours, objects left and taken
  normality/       what is unusual at this place
  integrity/       cameras and microphones that can no longer be trusted
From evidence to incidents
  evidence         adds up clues, by kind and sense
  policy           every threshold, in tables
  lifecycle        quiet, suspected, open, closing: the table of transitions
  cases            one kind on one camera, and the incident that it may have opened: data
  incidents        moves each case along, joins what belongs together
  sentences        what an incident says, for people
"""

from agent.scene.policy import Policy
from agent.scene.reorder import LATENESS_NS
from agent.scene.rules.lines import Crossings
from agent.scene.scene import Scene, unlearned

__all__ = ["LATENESS_NS", "Crossings", "Policy", "Scene", "unlearned"]
