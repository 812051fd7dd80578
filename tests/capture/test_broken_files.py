import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from agent.capture.container import Reader
from agent.capture.source import SourceSpec, open_media
from agent.capture.timeline import Ticks, Timeline
from agent.errors import SourceError
from tests.capture.media import joined, plain, read_all, write_film, write_pictures


def failure(path: Path | str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read_all(path)
    assert "\n" not in caught.value.line()
    return caught.value


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    assert failure(tmp_path / "none.mp4").fault == "not_found"


def test_an_empty_file_says_that_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    error = failure(tmp_path / "empty.mp4")
    assert (error.fault, error.why) == ("codec", "the file is empty")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mp3", "wav", "jpg", "h264", "aac", "bin"])
def test_garbage_of_any_name_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"garbage.{suffix}"
    path.write_bytes(random.Random(7).randbytes(100_000))
    assert failure(path).fault == "codec"


def test_a_text_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, nothing happened today.\n" * 100)
    assert failure(path).fault == "codec"


def test_a_playlist_opens_nothing_else(tmp_path: Path) -> None:
    write_film(tmp_path / "film.mp4", 0.5)
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    assert failure(path).fault in ("codec", "refused")


def test_a_huge_file_of_zeros_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 20_000_000_000)
    assert failure(path).fault == "codec"


def test_a_truncated_film_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 2.0)
    path.write_bytes(path.read_bytes()[:4000])
    assert failure(path).fault == "codec"


def test_a_truncated_film_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "film.mkv", [plain(64, 48, 10 * n) for n in range(20)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, _ = read_all(path)
    assert 2 < len(frames) < 20


def test_damage_in_the_middle_is_stepped_over_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_film(tmp_path / "film.ts", 5.0)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 188 * 30] = random.Random(3).randbytes(188 * 30)
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        frames, blocks = read_all(path)
    assert len(frames) > 30
    assert frames[-1].at_ns > 4_700_000_000
    assert len(joined(blocks)) > 3 * 16_000
    assert any(block.gap_before for block in blocks)


def test_a_film_of_which_nothing_decodes_is_an_error(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "film.mp4", [plain(640, 480, 10 * n) for n in range(5)], codec="mjpeg")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    error = failure(path)
    assert (error.fault, error.why) == ("codec", "nothing in it could be decoded")


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 0.5)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")
    assert failure(path).fault == "refused"


@pytest.mark.parametrize("url", ["ftp://host/film.mp4", "concat:a|b", "lavfi:no_such_filter", "/dev/video99", ""])
def test_what_is_no_source_is_an_error_with_a_cure(url: str) -> None:
    error = failure(url)
    assert error.cure


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name/film.mp4", "nul\0.mp4"])
def test_a_path_that_cannot_even_be_looked_at_is_an_error_of_the_source(name: str) -> None:
    assert failure(name).fault == "refused"
    assert failure(f"file://{name}").fault == "refused"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not look")
def test_what_is_hidden_from_this_user_is_refused_and_no_fault_of_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from agent.capture.folder import numbered_pictures; from agent.capture.tls import authorities\n"
        "from agent.capture.source import SourceSpec, open_media; from agent.errors import SourceError\n"
        "folder = Path(sys.argv[1]); os.setgid(65534); os.setuid(65534)\n"
        "for look in (lambda: open_media(SourceSpec(camera='c', url=str(folder / 'film.mp4'))),\n"
        "             lambda: numbered_pictures(folder), lambda: authorities(str(folder / 'ca.pem'), 'c', {})):\n"
        "    try: look()\n"
        "    except SourceError as error: print(error.fault)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["refused"] * 3, "")


def test_only_failures_in_a_row_end_a_medium() -> None:
    class Damaged:
        """Every second read fails, as on a bad line."""

        reads = 0

        def demux(self, _: object) -> Iterator[int]:
            while Damaged.reads < 5000:
                Damaged.reads += 1
                if Damaged.reads % 2:
                    raise av.error.InvalidDataError(1, "damaged")
                yield Damaged.reads

    reader = Reader(
        opened=Damaged(),  # type: ignore[arg-type]
        picture=None,
        sound=None,
        timeline=Timeline(),
        ticks=Ticks(None, patient=False),
        live=True,
    )
    assert len(list(reader._packets())) == 2500


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    media = open_media(SourceSpec(camera="c", url=str(write_film(tmp_path / "film.mp4", 0.5))))
    media.close()
    media.close()
