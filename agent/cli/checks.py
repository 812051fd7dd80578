"""What `vedette doctor` looks at, stage by stage: each check returns findings and raises nothing a user could meet."""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent.cli.look import probe_source, snapshot_spec_of, spec_of, take_picture
from agent.cli.mic import SILENT_DBFS, peak_of
from agent.errors import StoreError, VedetteError

if TYPE_CHECKING:
    from agent.config.schema import Analysis, Camera, Config

Status = Literal["ok", "warning", "failed", "skipped"]

ANSWER_S = 5.0
DISK_RESERVE_BYTES = 100_000_000  # beside a full outbox: history, evidence, logs


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; `exit_code` is that of the failure, 0 where there is none."""

    stage: str
    subject: str
    status: Status
    what: str
    cure: str = ""
    exit_code: int = 0


def failed(stage: str, subject: str, error: VedetteError) -> Finding:
    """Return the finding that `error` stands for."""
    what = f"{error.what}: {error.why}" if error.why else error.what
    return Finding(stage=stage, subject=subject, status="failed", what=what, cure=error.cure, exit_code=error.exit_code)


def guarded(stage: str, subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what `check` finds; a failure is a finding too."""
    try:
        yield from check()
    except VedetteError as error:
        yield failed(stage, subject, error)


def passwords(config: "Config", file: Path | None) -> Iterator[Finding]:
    """Every login has its password, in a file that nobody else can read."""
    from agent.config.credentials import folder, read_credential

    logins = [("broker", config.broker.username)] if config.broker.username else []
    logins += [(f"camera-{name}", camera.username) for name, camera in config.cameras.items() if camera.username]
    for name, username in logins:
        place = folder(file) / name
        if read_credential(name, file) is None:
            yield Finding(
                stage="password",
                subject=name,
                status="warning",
                what=f"{username} has no password",
                cure=f"vedette config set-password {name}",
            )
        elif place.exists() and place.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding(
                stage="password",
                subject=name,
                status="warning",
                what=f"others can read {place}",
                cure=f"chmod 600 {place}",
            )
        else:
            yield Finding(stage="password", subject=name, status="ok", what="kept")


def cameras(config: "Config", file: Path | None, seconds: float) -> Iterator[Finding]:
    """Every enabled camera opens and delivers; its sound, too."""
    enabled = {name: camera for name, camera in config.cameras.items() if camera.enabled}
    if not enabled:
        yield Finding(
            stage="source",
            subject="",
            status="warning",
            what="there is no enabled camera",
            cure="vedette camera add NAME URL",
        )
    for name, camera in enabled.items():
        yield from guarded("source", name, partial(_source, name, camera, file, seconds))
        yield from guarded("snapshot", name, partial(_main_stream, name, camera, file))
        yield from guarded("sound", name, partial(_other_sound, name, camera, config.analysis, file, seconds))


def _source(name: str, camera: "Camera", file: Path | None, seconds: float) -> Iterator[Finding]:
    told, found = probe_source(spec_of(name, file), seconds)
    size = f"{told['picture']} {told['width_px']}×{told['height_px']}"
    rate = f", {found['measured_fps']:g} pictures a second" if found["measured_fps"] else ""
    if told["width_px"]:
        yield Finding(stage="source", subject=name, status="ok", what=size + rate)
        yield from _decoder(name, told["decoder"], found["decoder_fault"], found["decoder_cure"])
    else:
        yield Finding(stage="source", subject=name, status="warning", what="no picture, sound only")
    if camera.sound == "same":
        yield _sound_of(name, str(told["sound"]), found["sound_peak_dbfs"])


def _decoder(name: str, by: str, fault: str | None, cure: str | None) -> Iterator[Finding]:
    if fault:
        yield Finding(stage="decoder", subject=name, status="warning", what=f"{fault}. The CPU does", cure=cure or "")
    elif by != "cpu":
        yield Finding(stage="decoder", subject=name, status="ok", what=by)


def decoders() -> Iterator[Finding]:
    """Which devices of this box could decode pictures instead of the CPU; none of them is tried."""
    from agent.capture.devices import DEVICES, offer_of

    offers = [offer_of(name) for name in DEVICES]
    told = "; ".join(f"{offer.name}: {offer.what}" for offer in offers)
    use = ". `vedette config set analysis.decoder auto` uses it" if any(offer.usable for offer in offers) else ""
    yield Finding(stage="decoder", subject="", status="ok", what=told + use)


def _main_stream(name: str, camera: "Camera", file: Path | None) -> Iterator[Finding]:
    if camera.snapshot_url:
        started_s = time.monotonic()
        height_px, width_px, _ = take_picture(snapshot_spec_of(name, file)).shape
        took_s = time.monotonic() - started_s
        what = f"{width_px}×{height_px} from the main stream, after {took_s:.1f} s"
        yield Finding(stage="snapshot", subject=name, status="ok", what=what)


def _sound_of(name: str, codec: str, peak_dbfs: float | None) -> Finding:
    if codec == "none":
        return Finding(
            stage="sound",
            subject=name,
            status="warning",
            what="the camera sends no sound",
            cure=f"Switch it on in the camera, or: vedette config set cameras.{name}.sound none",
        )
    if peak_dbfs is None or peak_dbfs < SILENT_DBFS:
        return Finding(
            stage="sound",
            subject=name,
            status="warning",
            what=f"{codec}, but nothing is heard",
            cure="Is the microphone muted, or its volume at zero?",
        )
    return Finding(stage="sound", subject=name, status="ok", what=f"{codec}, peak {peak_dbfs:g} dBFS")


def _other_sound(
    name: str, camera: "Camera", analysis: "Analysis", file: Path | None, seconds: float
) -> Iterator[Finding]:
    from agent.config.credentials import read_credential
    from agent.service.sources import DEVICE_PREFIX, sound_spec

    if camera.sound == "none":
        yield Finding(stage="sound", subject=name, status="ok", what="none is wanted")
    elif camera.sound.startswith(DEVICE_PREFIX):
        device = camera.sound.removeprefix(DEVICE_PREFIX)
        yield _sound_of(name, f"microphone {device}", peak_of(device, seconds))
    elif camera.sound != "same":
        told, found = probe_source(sound_spec(name, camera, analysis, read_credential(f"sound-{name}", file)), seconds)
        yield _sound_of(name, str(told["sound"]), found["sound_peak_dbfs"])


def models(config: "Config") -> Iterator[Finding]:
    """The models are whole, and run where they should."""
    from agent.config.places import state_dir
    from agent.service.senses import Senses

    senses = Senses.load(config, state_folder=state_dir())
    for unknown in senses.unknown_labels():
        cure = "Correct the label: `vedette model info vision` lists what there is."
        yield Finding(stage="model", subject="vision", status="warning", what=unknown, cure=cure)
    for name, shipped in () if config.models.folder else senses.behind_the_shipped():
        yield Finding(
            stage="model",
            subject=name,
            status="warning",
            what=f"an older one that was installed here runs; this Vedette came with {shipped}",
            cure=_back_to_shipped(name, state_dir()),
        )
    for name, told in senses.describe().items():
        yield Finding(
            stage="model", subject=name, status="ok", what=f"{told['version']}, {told['file']}, sha256 {told['sha256']}"
        )
        yield Finding(
            stage="accelerator",
            subject=name,
            status="warning" if told["degraded"] else "ok",
            what=f"{told['place']}, {told['run_ms']} ms: {told['reason']}",
            cure="vedette model info tells more" if told["degraded"] else "",
        )


def _back_to_shipped(name: str, folder: Path) -> str:
    from agent.inference.card import zoo_folder
    from agent.inference.installed import SHIPPED, used

    return (
        f"vedette model rollback {name}" if SHIPPED in used(folder)[name] else f"vedette model install {zoo_folder()}"
    )


def wall_clock() -> Iterator[Finding]:
    """The clock is synchronised, for messages carry its time."""
    from agent.service.clock import synchronised

    if synchronised():
        yield Finding(stage="clock", subject="", status="ok", what="synchronised")
    else:
        yield Finding(
            stage="clock",
            subject="",
            status="warning",
            what="the wall clock is not synchronised; messages will say so",
            cure="timedatectl set-ntp true",
        )


def disk(config: "Config", folder: Path) -> Iterator[Finding]:
    """The state folder can be written and has room for a full outbox."""
    existing = next(place for place in [folder, *folder.parents] if os.path.exists(place))
    if not os.access(existing, os.W_OK):
        yield Finding(
            stage="disk",
            subject=str(folder),
            status="failed",
            what="it cannot be written",
            cure=f"Run as the user it belongs to, or: sudo chown $USER {existing}",
            exit_code=1,
        )
        return
    free_bytes = shutil.disk_usage(existing).free
    wanted_bytes = config.outbox.max_bytes + DISK_RESERVE_BYTES
    if free_bytes < wanted_bytes:
        yield Finding(
            stage="disk",
            subject=str(folder),
            status="warning",
            what=f"{free_bytes / 1e6:.0f} MB free, a full outbox needs {wanted_bytes / 1e6:.0f}",
            cure="Make room, or: vedette config set outbox.max_bytes 50_000_000",
        )
    else:
        yield Finding(stage="disk", subject=str(folder), status="ok", what=f"{free_bytes / 1e9:.1f} GB free")


def load(folder: Path) -> Iterator[Finding]:
    """Whether the agent that runs here keeps up with its cameras; nothing where none runs."""
    from agent.service.remote.local_socket import answer_of

    try:
        because = answer_of(folder, {"action": "status"}, timeout_s=ANSWER_S)["state"]["degraded_because"]
    except VedetteError:  # none runs, or it is another user's
        return
    overloads = [why for why in because if why.startswith("overload: ")]
    for overload in overloads:
        what, _, cure = overload.removeprefix("overload: ").partition(". ")
        yield Finding(stage="load", subject="", status="warning", what=f"the box is overloaded: {what}", cure=cure)
    if not overloads:
        yield Finding(stage="load", subject="", status="ok", what="the running agent keeps up with its cameras")


def drift(config: "Config", folder: Path) -> Iterator[Finding]:
    """What the models say of each camera is what they said in its first days, as far as the service has noted it."""
    from agent.service.telemetry.drift import NOTABLE
    from agent.service.telemetry.drift_watch import FILE, figures, read

    try:
        known = read(folder / FILE)
    except StoreError as error:  # the service learns it anew, and of somebody else's folder nothing is known
        yield Finding(stage="drift", subject="", status="skipped", what=error.line())
        return
    for name in config.cameras:
        for model, figure in figures(known.get(name, {})).items():
            if figure is not None and figure > NOTABLE:
                yield Finding(
                    stage="drift",
                    subject=name,
                    status="warning",
                    what=f"what the {model} model says at {name} is not what it said in its first days ({figure:g})",
                    cure="Look at the lens, the light, the view; then vedette calibrate",
                )


def broker(config: "Config", file: Path | None) -> Iterator[Finding]:
    """The broker's name, port, certificate, login and permission, up to the first that fails."""
    from agent.config.credentials import read_credential
    from agent.errors import UplinkError
    from agent.uplink.mqtt.check import check

    for result in check(config.broker, read_credential("broker", file), node=config.node.name):
        yield Finding(
            stage=result.stage,
            subject="broker",
            status="ok" if result.ok else "failed",
            what=f"{result.detail}, {result.took_ms:.0f} ms" if result.ok else result.detail,
            cure=result.cure,
            exit_code=0 if result.ok else UplinkError.exit_code,
        )


def exit_code_of(findings: Sequence[Finding]) -> int:
    """Return the exit code of the first failure, 0 where nothing failed."""
    return next((finding.exit_code or 1 for finding in findings if finding.status == "failed"), 0)
