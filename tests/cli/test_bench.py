"""`vedette bench`: every stage is measured, the sums agree, and it needs nothing but what came along."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("agent.capture.source", reason="capture is not written yet")

from agent.inference.card import zoo_folder
from agent.service.bench import Moment, Stages
from agent.service.bench_cameras import Watcher
from agent.types import PictureStats, Seen, Tick
from tests.cli.outside import empty_and_zoo, left_in_home, vedette
from tests.inference import tiny

STAGES = (
    "decode and scale", "statistics and gate", "letterbox", "vision", "boxes", "motion", "flow", "gait", "scene",
    "sound decode", "log-mel and hearing", "closer looks",
)  # fmt: skip


@pytest.fixture
def work(tmp_path):
    empty, zoo = empty_and_zoo(tmp_path)
    tiny.save_hearing_card(zoo)
    tiny.save_vision_card(zoo)
    return empty


def test_every_stage_of_the_clip_that_came_along_is_measured(work):
    ended = vedette("bench", "--models", work.parent / "zoo", "--json", cwd=work)
    assert ended.code == 0, ended.err
    bill = json.loads(ended.out)
    assert {cost["stage"] for cost in bill["stages"]} - {"fusion"} == set(STAGES)  # fusion may be lacking
    assert all(cost["runs"] > 0 and 0 <= cost["p50_ms"] <= cost["p95_ms"] for cost in bill["stages"])
    assert bill["core_moving_frac"] == pytest.approx(sum(c["cpu_ms_per_media_s"] for c in bill["stages"]) / 1e3)
    assert 0 < bill["core_still_frac"] <= bill["core_moving_frac"]
    assert bill["cameras_per_core_moving"] == pytest.approx(1 / bill["core_moving_frac"])
    assert bill["pictures"] == pytest.approx(bill["media_s"] * 10.0, abs=3)
    assert bill["pictures_per_s"] == pytest.approx(bill["pictures"] / bill["media_s"])
    cost = {stage["stage"]: stage for stage in bill["stages"]}
    rest = sum(cost[name]["p50_ms"] * cost[name]["runs"] for name in ("log-mel and hearing", "fusion") if name in cost)
    assert bill["models_ms_per_s"] == pytest.approx(cost["vision"]["p50_ms"] * 10.0 + rest / bill["media_s"])
    assert 50 < bill["memory_mb"] < 2000
    assert list(work.iterdir()) == []
    assert left_in_home(work) == []


def test_a_person_reads_the_same_as_a_table(work):
    ended = vedette("bench", "--models", work.parent / "zoo", cwd=work)
    assert ended.code == 0, ended.err
    assert all(stage in ended.out for stage in STAGES)
    assert "cameras per core" in ended.out


def test_a_source_that_is_not_there_ends_with_four_in_one_line(work):
    ended = vedette("bench", "--models", work.parent / "zoo", "--source", "gone.mp4", cwd=work)
    assert ended.code == 4
    assert "gone.mp4" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_an_unknown_device_names_the_known_ones_and_ends_with_three(work):
    ended = vedette("bench", "--models", work.parent / "zoo", "--device", "abacus", cwd=work)
    assert ended.code == 3
    assert "tensorrt" in ended.err


def test_stages_add_up_what_two_clocks_say():
    moments = iter([Moment(1.0, 10.0), Moment(1.5, 10.1), Moment(2.0, 10.1), Moment(2.1, 10.2)])
    stages = Stages(lambda: next(moments))
    for _ in range(2):
        with stages.timed("look"):
            pass
    first, second = stages.runs["look"]
    assert (first.wall_s, first.cpu_s) == (0.5, pytest.approx(0.1))
    assert (second.wall_s, second.cpu_s) == (pytest.approx(0.1), pytest.approx(0.1))


@pytest.mark.skipif(
    not all((zoo_folder() / f"{name}.json").exists() for name in ("vision", "hearing")),
    reason="the zoo does not hold both models yet",
)
def test_one_camera_stays_under_the_memory_that_a_small_box_has(work):
    ended = vedette("bench", "--json", cwd=work)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["memory_mb"] < 350


def test_a_whole_agent_with_many_cameras_tells_what_each_gets(work):
    ended = vedette("bench", "--models", work.parent / "zoo", "--cameras", "3", "--seconds", "5", "--json", cwd=work)
    assert ended.code == 0, ended.err
    load = json.loads(ended.out)
    assert load["cameras"] == 3
    assert load["seconds"] == pytest.approx(5.0, rel=0.5)
    assert 0 < load["least_fps"] <= load["most_fps"] <= 11.0
    assert 0 < load["looked_at_fps"] <= load["most_fps"]
    assert load["cores"] > 0
    assert 0 < load["latency_p50_ms"] <= load["latency_p95_ms"]
    assert bool(load["overload"]) or load["least_fps"] > 5.0
    assert ended.err == ""
    assert list(work.iterdir()) == []
    assert left_in_home(work) == []


def test_no_cameras_at_all_are_refused(work):
    ended = vedette("bench", "--cameras", "0", cwd=work)
    assert ended.code == 2
    assert "--cameras" in ended.err


def test_many_cameras_of_a_source_that_is_not_there_end_at_once(work):
    ended = vedette("bench", "--cameras", "2", "--source", "gone.mp4", cwd=work)
    assert ended.code == 4
    assert "gone.mp4" in ended.err


def test_only_pictures_that_were_judged_meanwhile_count():
    watcher = Watcher(lambda: 500_000_000)
    stats = PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.0)
    still = Seen(camera="a", at_ns=300_000_000, aspect_ratio=1.5, stats=stats, detections=None)
    watcher.stepped(None, still, ())
    watcher.counting = True
    for seen in (still, replace(still, camera="b", detections=())):
        watcher.stepped(None, seen, ())
    watcher.stepped(None, Tick(at_ns=1), ())
    assert watcher.cameras == {"a", "b"}
    assert watcher.judged == {"a": 1, "b": 1}
    assert watcher.looked == 1
    assert watcher.latencies_ms == [200.0, 200.0]
