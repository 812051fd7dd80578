"""Capture over rtsps and https: only who proves with a certificate who it is gets the login and is looked at."""

import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.source import SourceSpec, open_media
from agent.errors import SourceError
from agent.types import Frame
from tests.capture.media import plain, write_film, write_picture
from tests.capture.recorder import running
from tests.servers.certificates import Authority, require_openssl
from tests.servers.http_media import HttpMedia
from tests.servers.rtsp import RtspServer, require_rtsp_server

pytestmark = pytest.mark.integration

PASSWORD = "s3cret/p@ss"
GOOD = "DNS:localhost,IP:127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    require_openssl()
    return Authority(tmp_path_factory.mktemp("authority"), "site")


@pytest.fixture(scope="module")
def camera(authority: Authority) -> Iterator[RtspServer]:
    require_rtsp_server()
    with RtspServer(user="viewer", password=PASSWORD, tls=authority.certificate("camera", GOOD)) as server:
        yield server


@pytest.fixture(scope="module")
def wrong_name(authority: Authority) -> Iterator[RtspServer]:
    require_rtsp_server()
    with RtspServer(tls=authority.certificate("elsewhere", "DNS:camera.example")) as server:
        yield server


def spec(url: str, **changes: object) -> SourceSpec:
    wanted: dict[str, object] = {"open_timeout_s": 30.0, "stall_timeout_s": 20.0, **changes}
    return SourceSpec(camera="door", url=url, **wanted)  # type: ignore[arg-type]


def first_picture(wanted: SourceSpec) -> Frame:
    with open_media(wanted) as media:
        return next(item for item in media.read(ordered=False) if isinstance(item, Frame))


def refused(wanted: SourceSpec) -> SourceError:
    with pytest.raises(SourceError) as caught:
        open_media(wanted)
    assert caught.value.fault == "refused"
    assert "s3cret" not in caught.value.line()
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_whose_authority_is_named_is_seen(
    camera: RtspServer, authority: Authority, host: str, transport: str
) -> None:
    url = camera.url("mute").replace("127.0.0.1", host)
    login = {"username": "viewer", "password": PASSWORD}
    assert first_picture(spec(url, tls_ca_file=str(authority.file), transport=transport, **login)).picture.size


def test_a_wrong_password_is_still_a_wrong_password(camera: RtspServer, authority: Authority) -> None:
    wrong = spec(camera.url("mute"), tls_ca_file=str(authority.file), username="viewer", password=f"{PASSWORD}x")
    with pytest.raises(SourceError) as caught:
        open_media(wrong)
    assert caught.value.fault == "login"


def test_an_unknown_authority_is_refused_by_default_and_the_cure_is_named(
    camera: RtspServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = spec(camera.url("mute"), username="viewer", password=PASSWORD)
    error = refused(wanted)
    assert "not trusted" in error.why
    assert "tls_ca_file" in error.cure
    assert error.transient
    caplog.set_level(logging.DEBUG)
    with running(wanted) as seen:
        state = seen.wait_state("lost", "refused")
    printed = capfd.readouterr()
    assert "not trusted" in state.why
    for text in (caplog.text, repr(state), printed.out, printed.err):
        assert "s3cret" not in text


def test_another_authority_is_refused(camera: RtspServer, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    assert "not trusted" in refused(spec(camera.url("mute"), tls_ca_file=str(stranger.file))).why


def test_a_certificate_for_another_name_is_refused(wrong_name: RtspServer, authority: Authority) -> None:
    error = refused(spec(wrong_name.url("mute"), tls_ca_file=str(authority.file)))
    assert "another name" in error.why
    assert "URL" in error.cure


def test_a_certificate_that_has_run_out_is_refused_for_that(authority: Authority) -> None:
    require_rtsp_server()
    with RtspServer(tls=authority.certificate("old", GOOD, days=-1)) as server:
        error = refused(spec(server.url("mute"), tls_ca_file=str(authority.file)))
    assert "not valid now" in error.why


def test_who_switches_verification_off_sees_anybody(wrong_name: RtspServer) -> None:
    assert first_picture(spec(wrong_name.url("mute"), tls_verify=False)).picture.size


def test_a_missing_or_empty_file_of_authorities_is_told_as_that(camera: RtspServer, tmp_path: Path) -> None:
    missing = refused(spec(camera.url("mute"), tls_ca_file=str(tmp_path / "none.pem")))
    assert "cannot be read" in missing.why
    (tmp_path / "empty.pem").write_text("")
    assert "no certificate" in refused(spec(camera.url("mute"), tls_ca_file=str(tmp_path / "empty.pem"))).why


def test_rtsps_to_a_port_without_tls_says_so() -> None:
    require_rtsp_server()
    with RtspServer() as server:
        error = refused(spec(server.url("mute").replace("rtsp://", "rtsps://")))
    assert "TLS" in error.why


def test_a_closed_port_is_refused_without_a_word_of_certificates() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"rtsps://127.0.0.1:{closed.getsockname()[1]}/x"
    assert "certificate" not in refused(spec(url)).line()


def test_https_is_verified_as_well(authority: Authority, tmp_path: Path) -> None:
    stream = write_film(tmp_path / "film.ts", 2.0).read_bytes()
    jpeg = write_picture(tmp_path / "picture.jpg", plain(64, 48), "mjpeg").read_bytes()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate("web", GOOD))
    with HttpMedia(stream, jpeg, fps=8.0, tls=context) as server:
        assert first_picture(spec(server.url("mjpeg"), tls_ca_file=str(authority.file))).picture.size
        assert first_picture(spec(server.url("mjpeg"), tls_verify=False)).picture.size
        assert "not trusted" in refused(spec(server.url("mjpeg"))).why
