"""The life of an incident as a literal table of states and events.

A case is one kind on one camera. It is

- quiet: nothing speaks for it;
- suspected: something does, not enough;
- open: an incident exists and is told;
- closing: its evidence is gone, but what comes back now is still the same happening.

Events are what the evidence is at this moment (weak, middling, strong) and what time does (expired: closing
for long enough, or open for too long; ended: the source, the agent or the arming went away).
"""

from collections.abc import Mapping
from typing import Literal

State = Literal["quiet", "suspected", "open", "closing"]
Event = Literal["weak", "middling", "strong", "expired", "ended"]
Action = Literal["nothing", "suspect", "drop", "open", "go_on", "fade", "resume", "close"]

STATES: tuple[State, ...] = ("quiet", "suspected", "open", "closing")
EVENTS: tuple[Event, ...] = ("weak", "middling", "strong", "expired", "ended")

TRANSITIONS: Mapping[tuple[State, Event], tuple[State, Action]] = {
    ("quiet", "weak"): ("quiet", "nothing"),
    ("quiet", "middling"): ("suspected", "suspect"),
    ("quiet", "strong"): ("open", "open"),
    ("quiet", "expired"): ("quiet", "nothing"),
    ("quiet", "ended"): ("quiet", "nothing"),
    ("suspected", "weak"): ("quiet", "drop"),
    ("suspected", "middling"): ("suspected", "nothing"),
    ("suspected", "strong"): ("open", "open"),
    ("suspected", "expired"): ("quiet", "drop"),
    ("suspected", "ended"): ("quiet", "drop"),
    ("open", "weak"): ("closing", "fade"),
    ("open", "middling"): ("open", "go_on"),
    ("open", "strong"): ("open", "go_on"),
    ("open", "expired"): ("quiet", "close"),
    ("open", "ended"): ("quiet", "close"),
    ("closing", "weak"): ("closing", "go_on"),
    ("closing", "middling"): ("closing", "go_on"),
    ("closing", "strong"): ("open", "resume"),
    ("closing", "expired"): ("quiet", "close"),
    ("closing", "ended"): ("quiet", "close"),
}
