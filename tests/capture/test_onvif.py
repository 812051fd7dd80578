"""Cameras of the network: who answers a probe, and what a camera tells of its streams."""

import socket
from xml.etree import ElementTree

import pytest

from agent.capture.onvif import Login, found_on_network, service_of, streams_of
from agent.errors import SourceError
from tests.capture.onvif import MATCH, PASSWORD, USER, answering_probes, onvif_camera


@pytest.fixture
def group() -> tuple[str, int]:
    """A multicast group of the test's own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        return "239.255.255.250", int(free.getsockname()[1])


def test_a_camera_that_answers_is_found_once_by_the_address_it_was_heard_from(group: tuple[str, int]) -> None:
    addresses = "http://192.0.2.9/onvif/device_service http://127.0.0.1:8000/onvif/device_service"
    with answering_probes(group, [MATCH.format(addresses=addresses).encode()]) as asked:
        found = found_on_network(1.2, group)
    (camera,) = found
    assert camera.host
    assert camera.service.startswith("http://")
    assert (camera.name, camera.model) == ("Front door", "IPC-1")
    assert len(asked) >= 2  # UDP loses messages, so it is asked again
    types = ElementTree.fromstring(asked[0]).find(".//{http://schemas.xmlsoap.org/ws/2005/04/discovery}Types")
    assert types is not None
    assert types.text == "dn:NetworkVideoTransmitter"


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\xff\xfe", b"<html>", MATCH.format(addresses="ftp://x/").encode(), b"<!DOCTYPE a><a/>"],
)
def test_what_answers_nonsense_is_no_camera(group: tuple[str, int], nonsense: bytes) -> None:
    with answering_probes(group, [nonsense]):
        assert found_on_network(0.3, group) == []


def test_the_streams_of_a_camera_with_a_clock_of_its_own() -> None:
    with onvif_camera() as camera:
        main, sub = streams_of(camera.service, Login(USER, PASSWORD))
    assert main.url == "rtsp://192.0.2.1:554/stream1?a=1&b=2"
    assert (main.name, main.width_px, main.height_px, main.fps, main.codec, main.has_sound) == (
        *("main", 1920, 1080, 15, "H264"),
        True,
    )
    assert (sub.url, sub.pixels, sub.has_sound) == ("rtsp://192.0.2.1:554/stream2?a=1&b=2", 640 * 360, False)
    assert not any(PASSWORD in request or "s3cret" in request for request in camera.heard)


@pytest.mark.parametrize(
    ("login", "told"),
    [
        (None, "wants a login. Give one with --user NAME --password-stdin"),
        (Login(USER, "wrong"), "refuses the login"),
        (Login("nobody", PASSWORD), "refuses the login"),
    ],
)
def test_a_camera_that_refuses_says_what_to_do(login: Login | None, told: str) -> None:
    with onvif_camera() as camera, pytest.raises(SourceError, match=told) as error:
        streams_of(camera.service, login)
    assert error.value.fault == "login"


@pytest.mark.parametrize(
    "says", [b"", b"no XML", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<a>" + b" " * 1_000_000]
)
def test_what_is_no_onvif_is_told_so(says: bytes) -> None:
    with onvif_camera() as camera:
        camera.says = says
        with pytest.raises(SourceError, match="no ONVIF"):
            streams_of(camera.service)


def test_nobody_there_is_told_with_a_cure() -> None:
    with onvif_camera() as camera:
        host = camera.host
    with pytest.raises(SourceError, match=f"{host} does not answer to ONVIF.*switched on"):
        streams_of(service_of(host))


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("192.0.2.1", "http://192.0.2.1/onvif/device_service"),
        ("192.0.2.1:8000", "http://192.0.2.1:8000/onvif/device_service"),
        ("https://cam/", "https://cam/onvif/device_service"),
        ("cam:80/onvif/other", "http://cam:80/onvif/other"),
    ],
)
def test_where_a_host_is_asked(host: str, service: str) -> None:
    assert service_of(host) == service


def test_a_login_does_not_show() -> None:
    assert PASSWORD not in repr(Login(USER, PASSWORD))
