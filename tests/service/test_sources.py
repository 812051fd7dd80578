"""From a camera's configuration to how its streams are opened."""

import numpy as np
import pytest

from agent.capture.state import SourceState, Status
from agent.config.load import of_data
from agent.config.schema import Analysis, Camera
from agent.service import sources
from agent.service.sources import Feeds, aligned, blinds_of, live_sources, snapshot_spec, source_spec
from agent.types import BlindReason, SoundBlock

SUB = "rtsp://192.0.2.10/sub"


def camera(**values: object) -> Camera:
    return of_data({"cameras": {"hall": {"url": SUB, "username": "u", **values}}}).cameras["hall"]


def test_a_camera_is_decoded_by_what_it_names_or_else_by_what_all_are() -> None:
    assert source_spec("hall", camera(), Analysis(), None).decoder == "cpu"
    assert source_spec("hall", camera(), Analysis(decoder="vaapi"), None).decoder == "vaapi"
    assert source_spec("hall", camera(decoder="cuda"), Analysis(decoder="vaapi"), None).decoder == "cuda"
    assert source_spec("hall", camera(decoder="cpu"), Analysis(decoder="auto"), None).decoder == "cpu"


def ignore(_: object) -> None: ...


def test_certificates_are_verified_unless_somebody_says_otherwise() -> None:
    spec = source_spec("hall", camera(), Analysis(), None)
    assert (spec.tls_verify, spec.tls_ca_file) == (True, "")
    lax = camera(tls_verify=False, tls_ca_file="/etc/vedette/ca.pem", snapshot_url=SUB, sound="rtsp://192.0.2.11/s")
    main = snapshot_spec("hall", lax, Analysis(), None)
    assert main is not None
    for spec in (source_spec("hall", lax, Analysis(), None), main, sources.sound_spec("hall", lax, Analysis(), None)):
        assert (spec.tls_verify, spec.tls_ca_file) == (False, "/etc/vedette/ca.pem")


def test_the_main_stream_has_the_cameras_masks_and_login_and_no_sound() -> None:
    mask = {"polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]}
    spec = snapshot_spec(
        "hall", camera(snapshot_url="rtsps://192.0.2.10:322/main", masks={"m": mask}), Analysis(), "s3cret"
    )
    assert spec is not None
    assert (spec.url, spec.username, spec.password) == ("rtsps://192.0.2.10:322/main", "u", "s3cret")
    assert spec.masks == (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),)
    assert not spec.want_sound
    assert "s3cret" not in repr(spec)


@pytest.mark.parametrize("url", ["rtsp://192.0.2.11/main", "http://192.0.2.10.example/x", "/srv/picture.jpg"])
def test_the_login_does_not_go_to_another_host(url: str) -> None:
    spec = snapshot_spec("hall", camera(snapshot_url=url), Analysis(), "s3cret")
    assert spec is not None
    assert (spec.username, spec.password) == ("", None)


def test_a_camera_without_a_main_stream_has_none() -> None:
    assert snapshot_spec("hall", camera(), Analysis(), None) is None


def test_a_microphone_is_as_patient_as_its_camera() -> None:
    listened = camera(sound="device:USB", open_timeout_s=7.0, stall_timeout_s=3.0)
    feeds = Feeds(on_frame=ignore, on_sound=ignore, on_state=ignore)
    microphone = live_sources("hall", listened, Analysis(), lambda name: None, feeds)["sound"]
    assert (microphone._spec.open_timeout_s, microphone._spec.stall_timeout_s) == (7.0, 3.0)
    assert microphone._spec.device == "USB"  # type: ignore[union-attr]


def test_sound_that_comes_late_is_put_back_in_time() -> None:
    heard: list[SoundBlock] = []
    block = SoundBlock(camera="hall", at_ns=2_000_000_000, samples=np.zeros(1600, np.float32))
    aligned(camera(sound_late_s=0.4), heard.append)(block)
    aligned(camera(), heard.append)(block)
    assert [one.at_ns for one in heard] == [1_600_000_000, 2_000_000_000]


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [("lost", "ended", "cut"), ("lost", "timeout", "timeout"), ("ended", "ended", "ended"), ("running", None, None)],
)
def test_a_camera_that_ends_its_connection_has_not_come_to_its_end(
    status: Status, reason: BlindReason | None, told: BlindReason | None
) -> None:
    state = SourceState(camera="hall", status=status, modalities=("vision", "sound"), reason=reason)
    assert [(one.modality, one.reason, one.at_ns) for one in blinds_of(state, 7)] == (
        [("vision", told, 7), ("sound", told, 7)] if told else []
    )
