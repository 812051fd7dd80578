"""Which kinds of incident one binary sensor of Home Assistant stands for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Kinds that one binary sensor stands for; `device_class` is Home Assistant's."""

    key: str
    name: str
    device_class: str
    kinds: tuple[str, ...]
    sure: bool = False  # critical ones only: a siren that somebody hung on it is not for a possible fight


GROUPS: tuple[Group, ...] = (
    # safety: "on means unsafe". A person on the floor or in danger is nothing else that Home Assistant knows.
    Group("fall", "Fall", "safety", ("fall",)),
    Group("danger", "Danger", "safety", ("fight", "gunshot", "explosion", "scream"), sure=True),
    # smoke: what alarm panels and notifications treat as fire; there is no class for flames.
    Group("fire", "Fire or smoke", "smoke", ("fire", "smoke")),
    # motion: what alarm panels arm on; it is on only where a rule of a zone says that somebody should not be there.
    Group("intrusion", "Intrusion", "motion", ("intrusion", "loitering", "line_crossing", "crowding", "running")),
    # sound: "on means sound detected". An alarm that is heard is a sound: the alarm's own box may say more.
    Group("noise", "Alarm or noise", "sound", ("alarm", "glass_break", "crash", "loud_noise")),
    # tamper: somebody or something is at the camera itself.
    Group(
        "tamper",
        "Camera disturbed",
        "tamper",
        ("camera_covered", "camera_moved", "camera_blurred", "camera_frozen", "camera_dark"),
    ),
    # problem: "on means problem detected": something is not as it always is here.
    Group("unusual", "Unusual", "problem", ("unusual", "abandoned_object", "removed_object")),
)
UNGROUPED = ("mic_silent", "source_lost")  # the sensor `lost` follows the sources themselves, armed or not
