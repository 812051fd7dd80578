"""`vedette camera find`: cameras of the network, and what to type next."""

import json

import pytest

from agent.capture.onvif import Login, Stream
from agent.cli.find import command_for
from tests.capture.onvif import PASSWORD, USER, onvif_camera
from tests.cli.conftest import Vedette


def stream(name: str, width: int, height: int) -> Stream:
    return Stream(name=name, url=f"rtsp://192.0.2.10/{name}", width_px=width, height_px=height)


def test_a_named_camera_tells_its_streams_and_how_to_add_it(vedette: Vedette) -> None:
    with onvif_camera() as camera:
        ended = vedette("camera", "find", "--host", camera.host, "--user", USER, "--password-stdin", stdin=PASSWORD)
    assert ended.code == 0, ended.err
    assert "main 1920×1080 15/s H264 sound" in ended.out
    assert "vedette camera add NAME 'rtsp://192.0.2.1:554/stream2?a=1&b=2' --snapshot-url" in ended.err
    assert PASSWORD not in ended.out + ended.err


def test_json_holds_each_stream(vedette: Vedette) -> None:
    with onvif_camera() as camera:
        arguments = ("--host", camera.host, "--user", USER, "--password-stdin", "--json")
        ended = vedette("camera", "find", *arguments, stdin=PASSWORD)
    (told,) = json.loads(ended.out)
    assert [one["width_px"] for one in told["streams"]] == [1920, 640]
    assert told["problem"] is None


def test_a_camera_that_wants_a_login_says_so(vedette: Vedette) -> None:
    with onvif_camera() as camera:
        ended = vedette("camera", "find", "--host", camera.host)
    assert ended.code == 4
    assert "wants a login. Give one with --user NAME --password-stdin" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--user", "admin"),
        ("--password-stdin",),
        *(
            ("--host", address)
            for address in (
                "http://a:b@192.0.2.1/",
                "rtsp://192.0.2.1/",
                " ",
                "a b",
                "http://[::1",
                "192.0.2.1:99999",
            )
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(vedette: Vedette, arguments: tuple[str, ...]) -> None:
    assert vedette("camera", "find", *arguments).code == 2


def test_the_smallest_stream_that_is_enough_is_watched_and_pictures_are_of_the_largest() -> None:
    streams = [stream("main", 3840, 2160), stream("third", 320, 180), stream("sub", 640, 360)]
    assert command_for(streams, Login("admin", "x")) == (
        "vedette camera add NAME rtsp://192.0.2.10/sub --snapshot-url rtsp://192.0.2.10/main --user admin"
        " --password-stdin"
    )
    assert command_for(streams[1:2], None) == "vedette camera add NAME rtsp://192.0.2.10/third"
