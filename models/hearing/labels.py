"""What the sound model tells apart, and how other people's class names map onto it."""

SECURITY = ("gunshot", "explosion", "glass_break", "scream", "alarm", "crash")
ALARMS = ("siren", "smoke_alarm", "burglar_alarm", "clock_alarm")
CONFUSERS = (
    "thunder", "fireworks", "door_slam", "knock", "music", "speech", "laughter", "baby_cry", "dog_bark",
    "engine", "drilling", "jackhammer", "car_horn", "footsteps", "rain", "hand_clap", "children_playing",
    "hum", "cough", "phone_ring",
)  # fmt: skip
LABELS = SECURITY + ALARMS + CONFUSERS
GROUPS = {"alarm": list(ALARMS)}
INDEX = {label: i for i, label in enumerate(LABELS)}

OURS = {
    "air_conditioner": "hum",
    "chainsaw": "engine",
    "helicopter": "engine",
    "sneeze": "cough",
    "medical_beep": "alarm",
}
"""Labels of the manifests that are folded into one of ours; others that we lack say nothing."""

AUDIOSET = {
    "gunshot": ("Gunshot, gunfire", "Machine gun", "Fusillade", "Artillery fire", "Cap gun"),
    "explosion": ("Explosion", "Boom", "Eruption"),
    "glass_break": ("Shatter", "Glass", "Breaking", "Smash, crash"),
    "scream": ("Screaming", "Yell", "Shout", "Children shouting"),
    "alarm": (
        "Alarm", "Smoke detector, smoke alarm", "Fire alarm", "Siren", "Civil defense siren", "Buzzer",
        "Alarm clock", "Car alarm", "Police car (siren)", "Ambulance (siren)", "Emergency vehicle",
        "Fire engine, fire truck (siren)", "Beep, bleep",
    ),
    "crash": ("Smash, crash", "Breaking", "Crushing", "Crack"),
    "siren": (
        "Siren", "Civil defense siren", "Police car (siren)", "Ambulance (siren)",
        "Fire engine, fire truck (siren)", "Emergency vehicle",
    ),
    "smoke_alarm": ("Smoke detector, smoke alarm", "Fire alarm"),
    "burglar_alarm": ("Car alarm",),
    "clock_alarm": ("Alarm clock",),
    "thunder": ("Thunder", "Thunderstorm"),
    "fireworks": ("Fireworks", "Firecracker"),
    "door_slam": ("Slam",),
    "knock": ("Knock",),
    "music": ("Music",),
    "speech": ("Speech",),
    "laughter": ("Laughter",),
    "baby_cry": ("Baby cry, infant cry",),
    "dog_bark": ("Dog", "Bark"),
    "engine": ("Engine", "Vehicle", "Helicopter", "Chainsaw"),
    "drilling": ("Drill", "Power tool"),
    "jackhammer": ("Jackhammer",),
    "car_horn": ("Vehicle horn, car horn, honking", "Toot", "Honk", "Air horn, truck horn"),
    "footsteps": ("Walk, footsteps", "Run"),
    "rain": ("Rain", "Raindrop", "Rain on surface"),
    "hand_clap": ("Clapping", "Applause", "Hands"),
    "children_playing": ("Children playing",),
    "hum": ("Hum", "Mains hum", "Air conditioning", "Mechanical fan"),
    "cough": ("Cough", "Throat clearing", "Sneeze"),
    "phone_ring": ("Telephone", "Telephone bell ringing", "Ringtone"),
}  # fmt: skip
"""AudioSet's display names (mn04_as and YAMNet) that speak for a label of ours; names a teacher lacks are skipped."""


def ours(names: list[str]) -> list[str]:
    """The labels of ours that a manifest's labels stand for, each once, in `LABELS` order."""
    known = {OURS.get(name, name) for name in names}
    if known & set(ALARMS):
        known.add("alarm")
    return [label for label in LABELS if label in known]


VERIFIED = ("gunshot", "explosion", "glass_break", "scream", "alarm", "crash", "siren")
"""What the verifier of the hearing graph is asked about."""
