"""`vedette listen` as a scoring script uses it: a line per half second of every file, to the last sample."""

import json
import wave

import numpy as np
import pytest

pytest.importorskip("agent.capture.source", reason="capture is not written yet")

from agent.inference.card import load_card, zoo_folder
from tests.cli.outside import empty_and_zoo, left_in_home, vedette
from tests.inference import tiny

RATE = 16_000
SIX = {"gunshot", "explosion", "glass_break", "scream", "alarm", "crash"}


def write_wav(path, seconds: float, *, rate: int = RATE, sigma: float = 0.05, channels: int = 1):
    samples = np.random.default_rng(1).normal(0, sigma, (round(seconds * rate), channels))
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def work(tmp_path):
    empty, zoo = empty_and_zoo(tmp_path)
    tiny.save_hearing_card(zoo)
    write_wav(tmp_path / "three.wav", 3.0)
    return empty


def run(work, *arguments):
    return vedette("listen", *arguments, "--models", work.parent / "zoo", cwd=work)


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_three_seconds_give_six_lines_with_every_label_and_the_source_as_typed(work):
    ended = run(work, "../three.wav", "--json-lines", "out.jsonl")
    assert ended.code == 0, ended.err
    assert ended.out == ""
    lines = lines_of((work / "out.jsonl").read_text())
    assert [line["end_s"] for line in lines] == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert [line["start_s"] for line in lines] == [0.0, 0.0, 0.0, 0.0, 0.485, 0.985]
    for line in lines:
        assert set(line) == {"source", "start_s", "end_s", "scores"}
        assert line["source"] == "../three.wav"
        assert set(line["scores"]) == set(tiny.HEARING_LABELS)
        assert set(line["scores"]) >= SIX
        assert line["scores"]["alarm"] >= line["scores"]["siren"]
        assert all(0.0 <= prob <= 1.0 for prob in line["scores"].values())


def test_nothing_but_the_lines_is_written(work):
    run(work, "../three.wav", "--json-lines", "out.jsonl")
    assert sorted(path.name for path in work.iterdir()) == ["out.jsonl"]
    assert left_in_home(work) == []


@pytest.mark.parametrize(("seconds", "lines"), [(0.001, 1), (0.25, 1), (0.5, 1), (0.7, 2), (2.02, 5)])
def test_every_begun_half_second_is_a_line_and_the_last_ends_with_the_sound(work, seconds, lines):
    write_wav(work.parent / "short.wav", seconds)
    found = lines_of(run(work, "../short.wav", "--json-lines", "-").out)
    assert len(found) == lines
    assert found[-1]["end_s"] == pytest.approx(seconds, abs=1e-4)


def test_digital_silence_gives_lines_too(work):
    write_wav(work.parent / "silent.wav", 1.5, sigma=0.0)
    found = lines_of(run(work, "../silent.wav", "--json-lines", "-").out)
    assert len(found) == 3
    assert all(prob <= 0.0100001 for line in found for prob in line["scores"].values())


def test_several_files_keep_their_order_and_other_rates_and_channels_are_heard(work):
    write_wav(work.parent / "stereo.wav", 1.0, rate=44_100, channels=2)
    ended = run(work, "../stereo.wav", "../three.wav", "--json-lines", "-")
    assert ended.code == 0, ended.err
    sources = [line["source"] for line in lines_of(ended.out)]
    assert sources == ["../stereo.wav"] * 2 + ["../three.wav"] * 6


def test_bad_files_are_named_the_rest_runs_and_the_code_is_four(work):
    (work.parent / "empty.wav").write_bytes(b"")
    (work.parent / "garbage.mp3").write_bytes(bytes(range(256)) * 40)
    ended = run(work, "../empty.wav", "gone.wav", "../garbage.mp3", "../three.wav", "--json-lines", "-")
    assert ended.code == 4
    assert {line["source"] for line in lines_of(ended.out)} == {"../three.wav"}
    for name in ("empty.wav", "gone.wav", "garbage.mp3"):
        assert name in ended.err
    assert "3 of 4 files" in ended.err
    assert "Traceback" not in ended.err


def test_two_runs_give_the_same_bytes(work):
    first, second = (run(work, "../three.wav", "--json-lines", "-").out for _ in range(2))
    assert first == second


def test_without_json_a_person_reads_what_was_likely(work):
    ended = run(work, "../three.wav")
    assert ended.code == 0
    assert "speech" in ended.out


def test_a_model_with_other_bytes_is_refused_with_six(work):
    (work.parent / "zoo/hearing.int8.onnx").write_bytes(b"tampered")
    ended = run(work, "../three.wav", "--json-lines", "-")
    assert ended.code == 6
    assert ended.out == ""


@pytest.mark.skipif(not (zoo_folder() / "hearing.json").exists(), reason="the zoo holds no hearing model yet")
def test_the_shipped_model_knows_the_six_labels_and_calls_a_sub_label_an_alarm(work):
    card = load_card("hearing")
    ended = vedette("listen", "../three.wav", "--json-lines", "-", cwd=work)
    assert ended.code == 0, ended.err
    for line in lines_of(ended.out):
        scores = line["scores"]
        assert set(scores) == set(card.labels) >= SIX
        assert scores["alarm"] >= max((scores[label] for label in card.groups.get("alarm", ())), default=0.0)
