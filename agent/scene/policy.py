"""Every number that decides when evidence becomes an incident, in literal tables.

A level is a sum of log-likelihood ratios (natural log, "llr"): how much more likely the observations are if
the thing happens than on an ordinary day. A threshold is therefore the prior odds that must be overcome:
`e ** threshold` ordinary moments for one that is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.config.schema import Config, Line, Profile, Sensitivity, Zone
from agent.types import KINDS, Severity

SENSITIVITY_LLR: Mapping[Sensitivity, float] = {"low": 1.2, "normal": 0.0, "high": -1.2}
"""What `sensitivity` adds to every threshold: a factor of about three in the odds either way."""

SUSPECT_FRAC = 0.4
"""From this share of the threshold on, an incident is suspected: its evidence is kept."""
CLOSE_FRAC = 0.3
"""Below this share of the threshold an open incident begins to close: well below, so that it does not flutter."""
GATE_FRAC = 0.35
"""What supports a kind counts once the kind's own evidence is at this share of the threshold: an alarm alone
is no fire, however loud."""
HEADROOM_LLR = 5.0
"""A level rises no further above its threshold: what is over must be able to be over."""

UPDATE_EVERY_S = 2.0
SAME_BANG_S = 0.8
"""Two cameras that hear the same kind within this time heard the same thing: half a second is how finely sound is
looked at, the rest is for 30 m of air and for what networks add."""
LOST_GRACE_S = 10.0
"""An open incident survives a loss of its source this long: cameras reconnect within seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """How one kind of incident opens, lives and closes."""

    severity: Severity
    threshold_llr: float
    decay_s: float  # evidence fades by e in this time
    quiet_s: float  # closes after this long without evidence; what comes back sooner is the same incident
    sure_llr: float = 0.0  # so far above its threshold it is as severe as that; until then a warning
    longest_s: float = 3600.0  # closes with `timeout` then; opens again only after it was quiet
    silences: tuple[str, ...] = ()  # explained by this one while it is open, or if they began near its start
    absorbs: tuple[str, ...] = ()  # if already open when this one opens, they become part of it
    reach_s: float = 3.0  # how near "near its start" is; 0: as long as it is open
    waits_for: tuple[str, ...] = ()  # until sure it waits while one of these (kinds, signals) is or perhaps begins
    joins_cameras: bool = False  # the same thing heard elsewhere at the same moment is one incident


SOUND_LLR = 5.0
"""Where the ledger puts the llr at which the hearing card would raise an alarm on one window alone. That point is
fitted at one false clip of hard sound an hour and kind, and moved by what the window's embedding says
(`python -m models.hearing.incidents`): a new model brings its own, and a recording of observations keeps those that it
was made with."""

FIGHT_LLR, FIGHT_SURE_LLR = 3.25, 3.25
"""From when on a fight opens, as a warning, and so much more it is critical: what looks like a fight is often play, and
who looks at a picture knows in a second what no sum of evidence does (decision 042; `models.fusion.export` tells in the
card how many clips of development do either). One window, however sure, is worth 3 at most (`agent.scene.fusion`), and
its two seconds may be an embrace: the next one has to agree (decision 047)."""
SIGNAL_LLR = 0.5
"""A signal that is no kind of incident, and that something waits for, holds from this level on."""

_NOISE = ("loud_noise",)
_BANG = KindRule(
    severity="critical",
    threshold_llr=SOUND_LLR,
    decay_s=3.0,
    quiet_s=8.0,
    silences=_NOISE,
    absorbs=_NOISE,
    joins_cameras=True,
)
_SENSOR = KindRule(severity="warning", threshold_llr=4.0, decay_s=6.0, quiet_s=3.0, longest_s=86_400.0, reach_s=0.0)
_PICTURE = ("camera_covered", "camera_moved", "camera_blurred", "camera_dark", "camera_frozen")

_RULES: Mapping[str, KindRule] = {
    # Sound. Where the model's card states no alarm threshold, the llr of a window against the label's prior counts.
    "gunshot": replace(_BANG, silences=("explosion", "crash", *_NOISE), absorbs=("crash", *_NOISE)),
    "explosion": replace(_BANG, silences=("gunshot", "crash", *_NOISE), absorbs=("crash", *_NOISE)),
    "glass_break": replace(_BANG, silences=("crash", *_NOISE), absorbs=("crash", *_NOISE)),
    "scream": _BANG,
    "crash": replace(_BANG, severity="warning"),
    "loud_noise": replace(_BANG, severity="notice", threshold_llr=4.0, silences=(), absorbs=()),
    "alarm": KindRule(
        severity="warning",
        threshold_llr=5.0,
        decay_s=6.0,
        quiet_s=15.0,  # a carbon monoxide alarm is silent for 5 s in each cycle
        silences=_NOISE,
        absorbs=_NOISE,
        reach_s=0.0,
        joins_cameras=True,
    ),
    # Both together. Evidence comes at most at 4 a second, and 1 for the newest window (agent.scene.fusion): a strong
    # fight opens with its second window and is critical after the third, a weak one (2 a second) opens after 1.5 s.
    "fight": KindRule(
        severity="critical",
        threshold_llr=FIGHT_LLR,
        sure_llr=FIGHT_SURE_LLR,
        waits_for=("fall", "going_down"),  # who falls, and who tends to them, looks a little like a fight
        decay_s=6.0,
        quiet_s=10.0,
        silences=("scream", "crash", *_NOISE),
        absorbs=("scream", "crash", *_NOISE),
        reach_s=0.0,
    ),
    # Sight.
    "fire": KindRule(
        severity="critical",
        threshold_llr=5.0,
        decay_s=6.0,
        quiet_s=20.0,
        silences=("smoke",),
        absorbs=("smoke",),
        reach_s=0.0,
    ),
    "smoke": KindRule(severity="critical", threshold_llr=5.0, decay_s=6.0, quiet_s=20.0),
    "fall": KindRule(
        severity="critical",
        threshold_llr=4.0,
        decay_s=6.0,
        quiet_s=10.0,
        silences=("crash", *_NOISE),
        absorbs=("crash", *_NOISE),
    ),
    "intrusion": KindRule(severity="warning", threshold_llr=3.0, decay_s=2.0, quiet_s=8.0),
    "loitering": KindRule(severity="warning", threshold_llr=3.0, decay_s=2.0, quiet_s=10.0),
    "line_crossing": KindRule(severity="warning", threshold_llr=3.0, decay_s=2.0, quiet_s=5.0),
    "crowding": KindRule(severity="warning", threshold_llr=3.0, decay_s=2.0, quiet_s=10.0),
    "running": KindRule(severity="warning", threshold_llr=3.0, decay_s=2.0, quiet_s=5.0),
    "abandoned_object": KindRule(severity="warning", threshold_llr=3.0, decay_s=2.0, quiet_s=10.0),
    "removed_object": KindRule(severity="warning", threshold_llr=3.0, decay_s=2.0, quiet_s=10.0),
    # Learned normality: a notice, and part of whatever explains it.
    "unusual": KindRule(severity="notice", threshold_llr=4.0, decay_s=2.0, quiet_s=10.0, longest_s=900.0),
    # The senses themselves.
    "camera_covered": replace(_SENSOR, silences=("camera_dark", "camera_frozen", "camera_moved", "camera_blurred")),
    "camera_moved": replace(_SENSOR, silences=("camera_blurred",)),
    "camera_blurred": _SENSOR,
    "camera_dark": replace(_SENSOR, silences=("camera_frozen",)),
    "camera_frozen": _SENSOR,
    "mic_silent": _SENSOR,
    "source_lost": replace(_SENSOR, silences=("mic_silent", *_PICTURE)),
}

_EXPLAINS_UNUSUAL = frozenset(_RULES) - {"unusual", "mic_silent", "loud_noise"}
RULES: Mapping[str, KindRule] = {
    kind: replace(rule, silences=(*rule.silences, "unusual"), absorbs=(*rule.absorbs, "unusual"))
    if kind in _EXPLAINS_UNUSUAL
    else rule
    for kind, rule in _RULES.items()
}
"""Kinds that can open so far; the others of KINDS come with later models and rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """One signal that makes another kind more likely, and by how much at most."""

    kind: str
    signal: str  # a kind, or one of the signals that are no kind of their own: thud
    most_llr: float
    share: float = 0.5  # of the signal's own level
    within_s: tuple[float, float] | None = None  # began so long after what it supports; None: whenever


_IMPACT_S = (-0.3, 2.0)
"""A body hits the floor between the last moment on its feet and lying there; a bang seconds before is another."""
_CRY_S = (-3.0, 5.0)

SUPPORTS: tuple[Support, ...] = (
    Support(kind="fire", signal="alarm", most_llr=2.5),
    Support(kind="smoke", signal="alarm", most_llr=2.5),
    Support(kind="alarm", signal="fire", most_llr=1.5),
    Support(kind="alarm", signal="smoke", most_llr=1.5),
    Support(kind="fall", signal="thud", most_llr=1.2, within_s=_IMPACT_S),
    Support(kind="fall", signal="crash", most_llr=1.2, within_s=_IMPACT_S),
    Support(kind="fall", signal="scream", most_llr=1.2, within_s=_CRY_S),
    Support(kind="fight", signal="scream", most_llr=1.5),
    Support(kind="fight", signal="crash", most_llr=1.0),
    Support(kind="fight", signal="loud_noise", most_llr=0.5),
    Support(kind="intrusion", signal="glass_break", most_llr=2.0),
    Support(kind="glass_break", signal="intrusion", most_llr=1.5, share=1.0),
    Support(kind="scream", signal="fall", most_llr=1.5, within_s=(-5.0, 3.0)),
    Support(kind="explosion", signal="fire", most_llr=1.5),
    Support(kind="crash", signal="fall", most_llr=1.0, within_s=(-2.0, 0.3)),
)
"""Sound and sight confirm each other. At most as much as would move a probability from 0.1 to about 0.5."""
SUPPORTS_OF: Mapping[str, tuple[Support, ...]] = {
    kind: tuple(support for support in SUPPORTS if support.kind == kind) for kind in RULES
}
"""The same by what is supported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What counts as an incident on which camera."""

    zones: Mapping[str, Mapping[str, Zone]] = field(default_factory=dict)  # camera → zone name → zone
    lines: Mapping[str, Mapping[str, Line]] = field(default_factory=dict)  # camera → line name → line
    sensitivity: Sensitivity = "normal"
    armed: bool = True
    disarmed_cameras: frozenset[str] = frozenset()
    disabled_kinds: frozenset[str] = frozenset()
    margin_llr: Mapping[str, float] = field(default_factory=dict)  # kind → what its threshold is raised by here
    rules: Mapping[str, KindRule] = field(default_factory=lambda: RULES)
    names: Mapping[str, str] = field(default_factory=dict)  # camera → what people call it, if not by its identifier

    def __post_init__(self) -> None:
        unknown = (self.disabled_kinds | self.rules.keys()) - set(KINDS)
        if unknown:
            raise ValueError(f"unknown kind {min(unknown)!r}")

    @classmethod
    def of(cls, config: Config) -> "Policy":
        """The policy that a configuration describes, with the profile that holds."""
        profile: Profile = getattr(config.profiles, config.policy.profile)
        return cls(
            zones={
                name: {
                    zone_name: zone.model_copy(update={"timezone": zone.timezone or config.node.timezone})
                    for zone_name, zone in camera.zones.items()
                    if zone.enabled
                }
                for name, camera in config.cameras.items()
            },
            lines={
                name: {
                    line_name: line.model_copy(update={"timezone": line.timezone or config.node.timezone})
                    for line_name, line in camera.lines.items()
                    if line.enabled
                }
                for name, camera in config.cameras.items()
            },
            sensitivity=profile.sensitivity or config.policy.sensitivity,
            armed=config.policy.armed,
            disabled_kinds=frozenset((*config.policy.disabled_kinds, *profile.disabled_kinds)),
            margin_llr=dict(config.policy.margin_llr),
            names={camera: its.name for camera, its in config.cameras.items() if its.name},
        )

    def called(self, camera: str) -> str:
        """What people call a camera."""
        return self.names.get(camera, camera)

    def place_called(self, cameras: Sequence[str], place: str) -> str:
        """What people call a zone or a line of the first of `cameras` that has it."""
        for camera in cameras:
            its = self.zones.get(camera, {}).get(place) or self.lines.get(camera, {}).get(place)
            if its is not None:
                return its.name or place
        return place

    def allows(self, kind: str, camera: str = "") -> bool:
        """Whether incidents of this kind may open (on this camera)."""
        armed = self.armed and camera not in self.disarmed_cameras
        return armed and kind in self.rules and kind not in self.disabled_kinds

    def threshold_llr(self, kind: str) -> float:
        """The level from which `kind` opens at this sensitivity."""
        moved_llr = SENSITIVITY_LLR[self.sensitivity] + self.margin_llr.get(kind, 0.0)
        return max(0.3, self.rules[kind].threshold_llr + moved_llr)
