"""The validated configuration: one frozen model per TOML table, every key with its unit and its reason.

The descriptions below and in `cameras` are the only place where a key is explained: `vedette init` writes them as
comments, `vedette config schema` prints them as JSON Schema. What values may be stands in `fields`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from agent.config.cameras import Camera, Line, Mask, Zone
from agent.config.fields import (
    NAME_PATTERN,
    CameraName,
    ClipsKept,
    Decoder,
    Kind,
    ListenAddress,
    Name,
    ProfileName,
    Sensitivity,
    Table,
    TimeZone,
    listening_at,
)

__all__ = [
    "NAME_PATTERN",
    "PEOPLE_KINDS",
    "Analysis",
    "Broker",
    "Camera",
    "Clips",
    "ClipsKept",
    "Config",
    "Control",
    "HomeAssistant",
    "Line",
    "Mask",
    "Metrics",
    "Models",
    "Node",
    "Normality",
    "Outbox",
    "Policy",
    "Privacy",
    "Profile",
    "ProfileName",
    "Profiles",
    "Sensitivity",
    "Snapshots",
    "Zone",
    "listening_at",
]


class Node(Table):
    """This box."""

    name: Name = Field("vedette", description="Name of this box; the MQTT base is vedette/<name>.")
    timezone: TimeZone = Field(
        "UTC", description="IANA name of the place's time zone, such as Europe/Vienna: what `hours` are meant in."
    )


class Broker(Table):
    """The MQTT broker that receives the incidents."""

    url: str = Field(
        "mqtt://localhost:1883",
        description="mqtt://host[:1883] or mqtts://host[:8883]. The password is not kept here: "
        "`vedette config set-password` stores it as a credential.",
        pattern=r"^mqtts?://[^\s@]+$",
    )
    username: str = Field("", description="Login name; empty for none.")
    ca_file: str = Field("", description="PEM file with the authority that signed the broker; empty: the system's.")
    client_cert_file: str = Field("", description="PEM file with our certificate, where the broker asks for one.")
    client_key_file: str = Field("", description="PEM file with the key of that certificate.")
    base_topic: str = Field(
        "vedette", description="First level of every topic; no #, + or blank in it.", pattern=r"^[^#+\s/][^#+\s]*$"
    )
    keepalive_s: int = Field(30, ge=5, le=3600, description="Seconds between keep-alive messages.")


class Outbox(Table):
    """What waits on disk while the broker is away."""

    max_bytes: int = Field(256_000_000, ge=1_000_000, description="Beyond this, low severity is evicted first.")
    max_age_days: float = Field(30.0, gt=0, le=3650, description="Older messages are evicted, critical ones never.")


class Snapshots(Table):
    """Pictures that leave the box: none unless enabled."""

    enabled: bool = Field(False, description="Send a JPEG of the moment before the message that names it.")
    retain: bool = Field(False, description="Let the broker keep the newest snapshot of each camera.")
    quality: int = Field(80, ge=30, le=95, description="JPEG quality.")
    max_width_px: int = Field(1280, ge=160, le=7680, description="Wider pictures are scaled down to this.")


class Clips(Table):
    """Films of incidents that stay on this box: none unless asked for. Masks and `privacy.blur_people` hold in them."""

    keep: ClipsKept = Field(
        "off", description="off, critical, warning (and critical) or all: of which incidents a film is kept."
    )
    sound: bool = Field(False, description="Put the camera's sound into it.")
    before_s: float = Field(5.0, ge=0, le=30, description="Seconds before the incident began.")
    after_s: float = Field(5.0, ge=0, le=30, description="Seconds after it ended.")
    longest_s: float = Field(60.0, ge=5, le=300, description="Longer ones are cut: their beginning is kept.")
    max_width_px: int = Field(640, ge=160, le=1920, description="Wider pictures are scaled down to this.")
    max_bytes: int = Field(500_000_000, ge=10_000_000, description="Beyond this, the oldest films are deleted.")
    max_age_days: float = Field(30.0, gt=0, le=3650, description="Older films are deleted.")
    send_max_bytes: int = Field(
        0,
        ge=0,
        le=100_000_000,
        description="Who asks over MQTT gets a film of at most so many bytes; 0: no film leaves the box.",
    )


class Privacy(Table):
    """What is taken out of pictures before they leave the box; masks are a camera's own."""

    blur_people: bool = Field(False, description="Blur everybody who is found in a picture, before it is coded.")


class HomeAssistant(Table):
    """Entities that appear in Home Assistant by themselves."""

    enabled: bool = Field(
        True, description="Describe this box and its cameras to Home Assistant: small retained messages, nothing else."
    )
    discovery_prefix: str = Field(
        "homeassistant", description="Discovery prefix that Home Assistant listens to.", pattern=r"^[^#+\s/$][^#+\s]*$"
    )


class Control(Table):
    """What may be changed and asked over MQTT while the agent runs."""

    enabled: bool = Field(
        True, description="Listen to set and request topics: arming, sensitivity, cameras, zones. The ACL says who may."
    )


class Metrics(Table):
    """Figures for Prometheus."""

    listen: ListenAddress = Field(
        "",
        description="host:port, such as 127.0.0.1:9797, where http://host:port/metrics is answered, to anybody who "
        "reaches it; empty: nowhere.",
    )


class Models(Table):
    """Which models run where."""

    device: Literal["auto", "cpu", "gpu", "npu", "tensorrt"] = Field(
        "auto", description="auto takes the fastest device that passes a real inference, and says why."
    )
    runtime: Literal["auto", "openvino", "onnxruntime"] = Field(
        "auto", description="auto: ONNX Runtime on the CPU; GPUs and NPUs through what reaches them."
    )
    precision: Literal["int8", "fp16"] = Field("int8", description="int8 for CPUs, fp16 for GPUs and NPUs.")
    threads: int = Field(1, ge=1, le=64, description="CPU threads per model, and of optical flow.")
    folder: str = Field("", description="Folder with models and cards; empty: those that came with Vedette.")
    site_labels: tuple[str, ...] = Field(
        (), description="Files of sounds that were taught here with `vedette calibrate label`."
    )


class Analysis(Table):
    """How much is looked at."""

    fps: float = Field(10.0, gt=0, le=60, description="Pictures analysed per second and camera.")
    width_px: int = Field(320, ge=32, le=1920, description="Analysis size: pictures are scaled to fit.")
    height_px: int = Field(192, ge=32, le=1920, description="Analysis size: pictures are scaled to fit.")
    decoder: Decoder = Field(
        "cpu",
        description="What decodes the pictures of cameras in the network: cpu, cuda (NVIDIA), vaapi (Intel, AMD), qsv "
        "(Intel), or auto, the first of these that is there. What does not work is left to the CPU.",
    )
    still_look_s: float = Field(3.0, gt=0, le=60, description="A still scene is looked at this often all the same.")
    closer_looks_per_s: float = Field(
        4.0,
        ge=0,
        le=10,
        description="So many parts of the picture a second are looked at again in their own size, where something "
        "small moves; 0: none, nor at people who went down or at what may burn.",
    )


class Normality(Table):
    """What is usual in front of each camera, learned on this box without a label."""

    enabled: bool = Field(
        True,
        description="Learn what is normal and tell what is not as `unusual`, a notice, after the first hours. "
        "false: spares a quarter of what a busy camera costs.",
    )


class Policy(Table):
    """When evidence becomes an incident."""

    armed: bool = Field(True, description="false: look and listen, but open no incident.")
    profile: ProfileName = Field("away", description="home, away or night: which of the tables [profiles.…] holds.")
    sensitivity: Sensitivity = Field("normal", description="low, normal or high: moves every threshold at once.")
    disabled_kinds: tuple[Kind, ...] = Field((), description="Kinds of incident that never open.")
    margin_llr: dict[Kind, Annotated[float, Field(ge=-4.0, le=4.0)]] = Field(
        default_factory=dict,
        description="What each kind's threshold is raised by here, in natural log odds: 1.1 asks for three times the "
        "evidence. `vedette calibrate thresholds` finds it from verdicts and ordinary recordings.",
    )


class Profile(Table):
    """What is different while a profile holds."""

    disabled_kinds: tuple[Kind, ...] = Field(
        (), description="Kinds that do not open meanwhile, besides those of [policy]."
    )
    sensitivity: Sensitivity | Literal[""] = Field(
        "", description="low, normal or high meanwhile; empty: as [policy] says."
    )


PEOPLE_KINDS = (
    "intrusion",
    "loitering",
    "line_crossing",
    "crowding",
    "running",
    "abandoned_object",
    "removed_object",
    "unusual",
)
"""What people who belong there do all day."""


class Profiles(Table):
    """Three ways to watch; policy.profile or the topic set/profile chooses one."""

    home: Profile = Field(
        Profile(disabled_kinds=PEOPLE_KINDS), description="People who belong there are up: rules on people rest."
    )
    away: Profile = Field(Profile(), description="Nobody should be there.")
    night: Profile = Field(Profile(), description="People who belong there are asleep: as away unless set otherwise.")


class Config(Table):
    """The whole file."""

    node: Node = Node()
    broker: Broker = Broker()
    outbox: Outbox = Outbox()
    snapshots: Snapshots = Snapshots()
    clips: Clips = Clips()
    homeassistant: HomeAssistant = HomeAssistant()
    control: Control = Control()
    metrics: Metrics = Metrics()
    privacy: Privacy = Privacy()
    models: Models = Models()
    analysis: Analysis = Analysis()
    normality: Normality = Normality()
    policy: Policy = Policy()
    profiles: Profiles = Profiles()
    cameras: dict[CameraName, Camera] = Field(default_factory=dict, description="Cameras by name.")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        told: dict[str, str] = {}
        for camera in self.cameras:
            other = told.setdefault(self.called(camera).casefold(), camera)
            if other != camera:
                raise ValueError(
                    f"the cameras {other} and {camera} are both called {self.called(camera)}: "
                    "nobody could tell which is meant",
                    f"Change cameras.{camera}.name.",
                )
        return self

    def called(self, camera: str) -> str:
        """What people are told a camera is called: its name, or its identifier where it has none."""
        its = self.cameras.get(camera)
        return (its.name if its is not None else "") or camera

    def clips_of(self, camera: str) -> ClipsKept:
        """Of which incidents of a camera a film is kept."""
        return self.cameras[camera].clips or self.clips.keep
