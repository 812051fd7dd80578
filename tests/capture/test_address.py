from pathlib import Path

import av
import pytest

from agent.capture.address import Address, resolve
from agent.capture.faults import source_error
from agent.capture.spec import SourceSpec
from agent.errors import SourceError

SECRET = "p@ss:w/rd?#%"


def camera(url: str = "rtsp://192.0.2.10:554/stream?x=1") -> SourceSpec:
    return SourceSpec(camera="c", url=url, username="ad min", password=SECRET)


def test_the_login_is_encoded_into_what_ffmpeg_gets_and_nothing_else() -> None:
    address = resolve(camera())
    assert address.target == "rtsp://ad%20min:p%40ss%3Aw%2Frd%3F%23%25@192.0.2.10:554/stream?x=1"
    for text in (repr(address), str(address), address.shown, repr(camera()), str(address.options)):
        assert SECRET not in text
        assert "p%40ss" not in text
        assert "ad%20min" not in text


def test_a_login_in_the_url_is_replaced_by_the_given_one_and_never_shown() -> None:
    assert resolve(camera("rtsp://old:secret@192.0.2.10/s@1")).target.endswith("@192.0.2.10/s@1")
    kept = resolve(SourceSpec(camera="c", url="rtsp://old:secret@192.0.2.10/s"))
    assert kept.target == "rtsp://old:secret@192.0.2.10/s"
    assert "secret" not in repr(kept)
    assert "secret" not in repr(SourceSpec(camera="c", url="rtsp://old:secret@192.0.2.10/s"))


@pytest.mark.parametrize(
    ("url", "kind", "format_name"),
    [
        ("rtsps://h/s", "rtsp", None),
        ("HTTP://h/s.ts", "http", None),
        ("lavfi:testsrc", "lavfi", "lavfi"),
        (str(Path(__file__)), "file", None),
        (f"file://{Path(__file__)}", "file", None),
        (str(Path(__file__).parent), "folder", None),
    ],
)
def test_the_kind_of_a_source_is_read_from_its_address(url: str, kind: str, format_name: str | None) -> None:
    address = resolve(SourceSpec(camera="c", url=url))
    assert (address.kind, address.format) == (kind, format_name)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (av.error.HTTPUnauthorizedError, "login"),
        (av.error.HTTPForbiddenError, "login"),
        (av.error.HTTPNotFoundError, "not_found"),
        (av.error.HTTPServerError, "refused"),
        (av.error.ConnectionRefusedError, "refused"),
        (av.error.ConnectionResetError, "refused"),
        (av.error.TimeoutError, "timeout"),
        (av.error.ExitError, "timeout"),
        (av.error.EOFError, "ended"),
        (av.error.InvalidDataError, "codec"),
        (av.error.DecoderNotFoundError, "codec"),
    ],
)
def test_errors_become_faults_without_their_text(error: type[av.error.FFmpegError], fault: str) -> None:
    address = Address(kind="rtsp", target=f"rtsp://u:{SECRET}@127.0.0.1/", shown="rtsp://127.0.0.1/")
    made = source_error(error(1, "it failed", address.target), address, waited_s=0.1, limit_s=5.0)
    assert made.fault == fault
    assert SECRET not in made.line()


def test_a_server_that_has_no_pictures_itself_sends_nobody_to_the_port() -> None:
    """go2rtc and others answer 5xx where the camera behind a restream is off."""
    address = Address(kind="rtsp", target="rtsp://127.0.0.1/", shown="rtsp://127.0.0.1/")
    cures = {
        error: source_error(error(1, "it failed"), address, waited_s=0.1, limit_s=5.0).cure
        for error in (av.error.HTTPServerError, av.error.ConnectionRefusedError)
    }
    assert "restream" in cures[av.error.HTTPServerError]
    assert "port" in cures[av.error.ConnectionRefusedError]


def test_invalid_data_after_the_whole_wait_was_a_timeout() -> None:
    address = Address(kind="rtsp", target="rtsp://127.0.0.1/", shown="rtsp://127.0.0.1/")
    made = source_error(av.error.InvalidDataError(1, "invalid"), address, waited_s=4.9, limit_s=5.0)
    assert made.fault == "timeout"


def test_a_missing_device_and_an_unknown_scheme_say_so_before_anything_is_opened() -> None:
    for url, fault in (("/dev/video97", "not_found"), ("gopher://h/x", "codec")):
        with pytest.raises(SourceError) as caught:
            resolve(SourceSpec(camera="c", url=url))
        assert caught.value.fault == fault
