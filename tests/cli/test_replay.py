"""`vedette replay` as other people's scripts use it: from outside, in an empty folder."""

import csv
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import av
import numpy as np
import pytest

from agent.kinds import KINDS
from agent.service.recordings import journal
from agent.types import Tick

SCENES = Path(str(files("agent.service") / "clips"))


def replay(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`."""
    command = [sys.executable, "-m", "agent.cli.main", "replay", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(autouse=True)
def _finds_our_code(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repository))


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of moving blocks with a tone: quick to play."""
    path = tmp_path_factory.mktemp("media") / "short.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        audio = container.add_stream("aac", rate=16000, layout="mono")
        for index in range(20):
            picture = np.full((180, 320, 3), 90, np.uint8)
            picture[60:120, 10 * index : 10 * index + 40] = (200, 60, 40)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        tone = np.sin(np.arange(32000) * 0.3).astype(np.float32)[None] * 0.2
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def test_twice_the_same_bytes(tmp_path: Path) -> None:
    for run in ("a", "b"):
        done = replay(tmp_path, str(SCENES / "fall.mp4"), "--json-lines", f"{run}.jsonl", "--scores", f"{run}.csv")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes() != b""
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_messages_are_numbered_and_timed_from_the_epoch_and_everything_ends(tmp_path: Path) -> None:
    source = str(SCENES / "fall.mp4")
    done = replay(tmp_path, source, "--json-lines", "-")
    messages = lines(done.stdout)
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    assert {message["source"] for message in messages} == {source}
    assert all(str(message["at"]).startswith("1970-01-01T00:00:") for message in messages)
    times = [message["media_time_s"] for message in messages]
    assert times == sorted(times)  # type: ignore[type-var]
    phases = [message["phase"] for message in messages]
    assert phases.count("open") == phases.count("close") > 0


def test_start_moves_the_wall_clock(tmp_path: Path) -> None:
    done = replay(tmp_path, str(SCENES / "fall.mp4"), "--json-lines", "-", "--start", "2026-11-21T09:30:00Z")
    assert all(str(message["at"]).startswith("2026-11-21T09:30:") for message in lines(done.stdout))


def test_scores_have_a_column_per_kind_and_a_row_per_analysed_picture(tmp_path: Path, short_clip: Path) -> None:
    assert replay(tmp_path, str(short_clip), "--scores", "s.csv", "--every-frame").returncode == 0
    with (tmp_path / "s.csv").open() as rows:
        read = list(csv.reader(rows))
    assert read[0] == ["source", "frame", "media_time_s", *KINDS]
    assert [int(row[1]) for row in read[1:]] == list(range(20))
    assert all(0.0 <= float(value) <= 1.0 for row in read[1:] for value in row[3:])
    assert [float(row[2]) for row in read[1:4]] == pytest.approx([0.0, 0.1, 0.2])


def test_a_bad_file_is_reported_and_skipped_and_the_rest_runs(tmp_path: Path, short_clip: Path) -> None:
    (tmp_path / "garbage.mp4").write_bytes(b"\x00garbage" * 500)
    done = replay(tmp_path, "garbage.mp4", "missing.mp4", str(short_clip), "--scores", "s.csv", "--json-lines", "-")
    assert done.returncode == 4
    assert "garbage.mp4" in done.stderr
    assert "missing.mp4" in done.stderr
    assert "Traceback" not in done.stderr
    assert len((tmp_path / "s.csv").read_text().splitlines()) > 10
    assert all(json.loads(line) for line in done.stdout.splitlines())


def test_what_it_came_to_is_said_on_stderr_also_where_there_is_nothing_to_tell(
    tmp_path: Path, short_clip: Path
) -> None:
    quiet = replay(tmp_path, str(short_clip))
    assert (quiet.stdout, quiet.stderr) == ("", "1 source, 2.1 s: no incidents\n")  # AAC is whole frames
    twice = replay(tmp_path, str(short_clip), str(short_clip), "missing.mp4", "--continuous")
    assert "2 sources, 4.2 s: no incidents\n" in twice.stderr
    nothing = replay(tmp_path, "missing.mp4")
    assert nothing.returncode == 4
    assert "missing.mp4" in nothing.stderr
    assert "incidents" not in nothing.stderr
    fall = replay(tmp_path, str(SCENES / "fall.mp4"), "--json-lines", "-")
    assert fall.stderr.endswith("1 source, 10.0 s: 1 incident\n")


def test_several_sources_are_separate_scenes_unless_joined(tmp_path: Path, short_clip: Path) -> None:
    twice = (str(short_clip), str(short_clip), "--scores")
    assert replay(tmp_path, *twice, "apart.csv").returncode == 0
    assert replay(tmp_path, *twice, "joined.csv", "--continuous").returncode == 0
    ends = {}
    for name in ("apart", "joined"):
        with (tmp_path / f"{name}.csv").open() as rows:
            ends[name] = max(float(row["media_time_s"]) for row in csv.DictReader(rows))
    assert ends["apart"] < 2.1
    assert ends["joined"] > 3.5


def test_sound_alone_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "alone.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        noise = (np.random.default_rng(0).normal(0, 300, 48000)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    done = replay(tmp_path, "alone.wav", "--json-lines", "-", "--scores", "s.csv")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 1 + 6


def test_video_and_plot_are_made(tmp_path: Path, short_clip: Path) -> None:
    assert replay(tmp_path, str(short_clip), "--video", "v.mp4", "--plot", "p.png").returncode == 0
    with av.open(str(tmp_path / "v.mp4")) as made:
        assert sum(1 for _ in made.decode(video=0)) == 20
        assert made.streams.audio
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_recording_plays_under_the_configuration_it_was_made_with(tmp_path: Path) -> None:
    with journal.Journal(tmp_path / "rec", '[node]\nname = "stairs"\n') as recording:
        for second in range(5):
            recording.write(Tick(at_ns=1_000_000_000_000 + second * 1_000_000_000))
    assert replay(tmp_path, "rec", "--json-lines", "-").returncode == 0


def test_an_unknown_key_in_set_names_the_nearest(tmp_path: Path, short_clip: Path) -> None:
    done = replay(tmp_path, str(short_clip), "--set", "analysis.fpss=5")
    assert done.returncode == 3
    assert "fps" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_installed_configuration_is_read(tmp_path: Path, short_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.toml").write_text("this is not TOML")
    monkeypatch.setenv("VEDETTE_CONFIG", str(tmp_path / "broken.toml"))
    assert replay(tmp_path, str(short_clip)).returncode == 0


@pytest.mark.parametrize("arguments", [["--fps", "0"], ["--fps", "-3"], ["--fps", "nan"], ["--fps", "inf"]])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    assert replay(tmp_path, str(tmp_path), *arguments).returncode == 2


def test_an_empty_name_is_not_the_folder_one_is_in(tmp_path: Path) -> None:
    assert replay(tmp_path, "").returncode == 2


def test_a_film_that_cannot_be_written_says_so(tmp_path: Path, short_clip: Path) -> None:
    target = tmp_path / "nothere" / "film.mp4"
    ended = replay(tmp_path, str(short_clip), "--video", str(target))
    assert ended.returncode == 1
    assert f"cannot write {target}" in ended.stderr
