"""Whom only closer looks show: zones, lines and counts know them, falls and fights do not; identities stay."""

from dataclasses import replace

import numpy as np
import pytest

from agent.config.schema import Line, Zone
from agent.scene import Policy, Scene
from agent.scene.camera import Camera
from agent.types import Box, Closer, Tick
from tests.scene.observe import falling, ns, opened, person, play, seen, times

WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
HALL = Policy(zones={"cam": {"hall": Zone(polygon=WHOLE, rules=("intrusion", "loitering"), loitering_dwell_s=5.0)}})
REGION = Box(left_frac=0.1, top_frac=0.3, right_frac=0.5, bottom_frac=0.73)


def afar(at_s, *, speed=0.02, prob=0.7, height=0.08):
    """Somebody small who walks; found by a closer look at four of ten pictures."""
    return person(0.2 + speed * at_s, 0.5, height=height, prob=prob)


def looked(at_s, found=(), whole=()):
    """A picture with a closer look at some of them."""
    closely = round(at_s * 10) % 5 in (0, 2)
    return replace(seen(at_s, whole), closer=Closer(region=REGION, detections=tuple(found)) if closely else None)


def walks_by(end_s, **how):
    return [looked(at_s, [afar(at_s, **how)]) for at_s in times(0.0, end_s, 0.1)]


def test_who_is_seen_by_closer_looks_alone_is_followed_under_one_identity():
    camera, ids = Camera("cam", {}), set()
    for one in walks_by(10.0):
        list(camera.observe(one))
        ids |= {track.track_id for track in camera.tracks(one.at_ns)}
    assert len(ids) == 1
    (track,) = camera.tracks(ns(9.9))
    assert track.box.left_frac == pytest.approx(afar(9.9).box.left_frac, abs=0.01)


def test_somebody_far_who_enters_is_an_intrusion_and_loiters():
    changes = play(walks_by(12.0), HALL)
    assert {"intrusion", "loitering"} <= {one.kind for one in opened(changes)}


def test_without_closer_looks_nothing_opens_there():
    changes = play([replace(one, closer=None) for one in walks_by(12.0)], HALL)
    assert opened(changes) == []


@pytest.mark.parametrize("only_s", [0.0, 2.0])
def test_one_sighting_is_nobody(only_s):
    camera = Camera("cam", {})
    for at_s in times(0.0, 6.0, 0.1):
        list(camera.observe(looked(at_s, [afar(at_s)] if at_s == pytest.approx(only_s) else ())))
        assert camera.tracks(ns(at_s)) == ()


def test_a_line_is_crossed_by_who_is_far():
    scene = Scene(Policy(lines={"cam": {"gate": Line(line=((0.3, 0.2), (0.3, 1.0)))}}))
    for one in walks_by(10.0):
        scene.step(one)
    scene.step(Tick(at_ns=ns(15.0)))
    crossed = scene.crossings("cam")["gate"]
    assert crossed.came_in + crossed.went_out == 1


def test_a_fall_seen_by_closer_looks_alone_opens_nothing():
    closely = [looked(at_s, [falling(at_s)]) for at_s in times(0.0, 10.0, 0.1)]
    assert opened(play(closely)) == []
    whole = [seen(at_s, [falling(at_s)]) for at_s in times(0.0, 10.0, 0.1)]
    assert [one.kind for one in opened(play(whole))] == ["fall"]


def test_closer_looks_leave_what_whole_looks_say_as_it_is():
    """Windows of the fusion graph, clues of falls and groups: the same to the last bit."""
    cameras = Camera("cam", {}), Camera("cam", {})
    windows: list[list[object]] = [[], []]
    for at_s in times(0.0, 12.0, 0.1):
        one = looked(at_s, [afar(at_s)], [falling(at_s), person(0.7, 0.9, prob=0.6 if at_s < 5.0 else 0.15)])
        clues = []
        for camera, shown, due in zip(cameras, (one, replace(one, closer=None)), windows, strict=True):
            clues.append([replace(clue, track=None) for clue in camera.observe(shown)])
            due.extend(camera.window.taken())
        assert clues[0] == clues[1]
        assert [len(group.tracks) for group in cameras[0].groups] == [len(group.tracks) for group in cameras[1].groups]
    assert len(windows[0]) == len(windows[1]) > 5
    for first, second in zip(*windows, strict=True):
        for name in ("scene", "people", "people_known"):
            assert np.array_equal(getattr(first, name), getattr(second, name))


def test_who_comes_nearer_keeps_identity_and_dwell():
    camera, ids = Camera("cam", HALL.zones["cam"]), []
    for at_s in times(0.0, 10.0, 0.1):
        near = at_s >= 5.0
        one = afar(at_s, speed=0.01)
        list(camera.observe(looked(at_s, () if near else [one], [one] if near else ())))
        ids.append({track.track_id for track in camera.tracks(ns(at_s))})
    told = [one for one in ids if one]
    assert all(one == told[0] for one in told[:40])
    assert ids[-1] == told[0]


def test_who_goes_away_keeps_identity():
    camera, ids = Camera("cam", {}), []
    for at_s in times(0.0, 10.0, 0.1):
        near = at_s < 5.0
        one = afar(at_s, speed=0.01)
        list(camera.observe(looked(at_s, () if near else [one], [one] if near else ())))
        ids.append({track.track_id for track in camera.tracks(ns(at_s))})
    assert ids[-1] == ids[20] != set()


def test_no_two_who_are_present_share_an_identity():
    camera = Camera("cam", {})
    for at_s in times(0.0, 20.0, 0.1):
        one, near = afar(at_s, speed=0.01), int(at_s / 1.7) % 2 == 0
        other = person(0.45, 0.5, height=0.09)
        list(camera.observe(looked(at_s, [other] if near else [one, other], [one] if near else ())))
        ids = [track.track_id for track in camera.tracks(ns(at_s))]
        assert len(ids) == len(set(ids))


def test_a_cut_to_another_place_forgets_who_was_far():
    camera = Camera("cam", {})
    for one in walks_by(5.0):
        list(camera.observe(one))
    assert camera.tracks(ns(4.9))
    camera.far_people.start_over()
    assert camera.tracks(ns(4.9)) == ()
