"""Closer looks: what they find and where, what stays the whole look's, when there are none."""

from dataclasses import replace

import numpy as np
import pytest

from agent.config.schema import Analysis, Models
from agent.inference.card import load_card
from agent.inference.closer import CloserLooks
from agent.inference.see import Seer
from agent.inference.vision import Sight, VisionModel, box_of
from agent.service.recordings import journal
from agent.types import NS_PER_S, Detection, Frame
from tests.inference import tiny
from tests.inference.machines import machine

WIDTH_PX, HEIGHT_PX = 1280, 720
ON = Analysis(closer_looks_per_s=4.0)


class Keen:
    """A model that finds all that is bright as one person, if it is at least 24 pixels high."""

    smallest_px = (320, 192)

    def __init__(self, folder):
        tiny.save_vision_card(folder)
        self.card = load_card("vision", folder)
        self.looked = 0

    def export_for(self, *_):
        return self.smallest_px

    def look(self, picture, **_):
        self.looked += 1
        rows, columns = np.nonzero(picture[:, :, 0] > 150)
        if not len(rows) or rows.max() - rows.min() < 24:
            return Sight((), ())
        height, width = picture.shape[:2]
        corners = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
        return Sight((Detection(label="person", score_prob=0.8, box=box_of(*map(float, corners))),), ())


class Sharp:
    """A picture in its own size, out of which parts are cut."""

    def __init__(self, picture):
        self.picture = picture

    def cut(self, corners, most_width_px, most_height_px):
        left, top, right, bottom = (round(c * s) for c, s in zip(corners, (WIDTH_PX, HEIGHT_PX) * 2, strict=True))
        part = self.picture[top:bottom, left:right]
        exact = left / WIDTH_PX, top / HEIGHT_PX, right / WIDTH_PX, bottom / HEIGHT_PX
        step = max(1, -(-part.shape[1] // most_width_px))
        return np.ascontiguousarray(part[::step, ::step]), exact


def yard(index, *, native=True, height=64):
    """Somebody 24 × 64 pixels in 1280 × 720, 16 of 180 in the analysis picture, walks to the right."""
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 60, np.uint8)
    picture[300 : 300 + height, 200 + 8 * index : 200 + 8 * index + height * 3 // 8] = 220
    return Frame(
        camera="yard", at_ns=index * NS_PER_S // 10, picture=np.ascontiguousarray(picture[::4, ::4]),
        width_px=WIDTH_PX, height_px=HEIGHT_PX, native=Sharp(picture) if native else None,
    )  # fmt: skip


def watched(folder, frames, analysis=None, **how):
    seer = Seer(Keen(folder), analysis or ON)
    return [seer.see(frame, **how) for frame in frames]


def test_a_small_person_whom_the_whole_look_misses_is_found_where_they_are(tmp_path):
    seen = watched(tmp_path, [yard(index) for index in range(20)])
    found = [(index, one.closer) for index, one in enumerate(seen) if one.closer is not None]
    assert all(one.detections == () for one in seen)
    assert len(found) >= 6
    for index, closer in found:
        (person,) = closer.detections
        assert person.box.left_frac == pytest.approx((200 + 8 * index) / WIDTH_PX, abs=0.005)
        assert person.box.bottom_frac == pytest.approx(364 / HEIGHT_PX, abs=0.005)
        assert closer.region.left_frac <= person.box.left_frac
        assert person.box.right_frac <= closer.region.right_frac


def test_whom_the_whole_look_finds_surely_is_not_looked_at_again(tmp_path):
    seen = watched(tmp_path, [yard(index, height=200) for index in range(20)])
    assert all(len(one.detections) == 1 for one in seen)
    assert all(one.closer is None for one in seen)


def test_a_box_that_the_whole_look_has_surer_is_told_once(tmp_path):
    looks = CloserLooks(Keen(tmp_path), 4.0)
    frame = yard(0)
    part = (0.1, 0.3, 0.5, 0.73)
    (person,) = looks.look(frame, part, ()).detections
    assert looks.look(frame, part, [replace(person, score_prob=0.9)]).detections == ()
    assert looks.look(frame, part, [replace(person, score_prob=0.1)]).detections == (person,)


@pytest.mark.parametrize(
    ("frames", "analysis", "how"),
    [
        ([yard(index, native=False) for index in range(20)], ON, {}),
        ([yard(index) for index in range(20)], Analysis(closer_looks_per_s=0), {}),
        ([yard(index) for index in range(20)], ON, {"closely": False}),
        ([replace(yard(0), at_ns=index * NS_PER_S // 10) for index in range(20)], ON, {}),
    ],
    ids=["no more pixels", "off", "overloaded", "still"],
)  # fmt: skip
def test_there_is_no_closer_look_without_a_reason(tmp_path, frames, analysis, how):
    model = Keen(tmp_path)
    seer = Seer(model, analysis)
    seen = [seer.see(frame, **how) for frame in frames]
    assert all(one.closer is None for one in seen)
    assert model.looked == sum(one.detections is not None for one in seen)


def test_the_whole_look_is_the_same_with_closer_looks_and_without(tmp_path):
    frames = [yard(index) for index in range(20)]
    plain = watched(tmp_path, frames, Analysis(closer_looks_per_s=0))
    closer = watched(tmp_path, frames)
    assert any(one.closer is not None for one in closer)
    assert [replace(one, closer=None) for one in closer] == plain


def test_the_same_film_is_seen_the_same_twice_and_read_back_from_a_recording(tmp_path):
    frames = [yard(index) for index in range(20)]
    first, second = watched(tmp_path, frames), watched(tmp_path, frames)
    assert [journal.encode(one) for one in first] == [journal.encode(one) for one in second]
    assert [journal.decode(journal.encode(one)) for one in first] == first


def test_the_shipped_graph_is_asked_for_parts_in_its_live_size(tmp_path):
    tiny.save_vision_card(tmp_path)
    model = VisionModel(load_card("vision", tmp_path), Models(), machine({}))
    Seer(model, ON).see(yard(0))
    looks = CloserLooks(model, 4.0)
    looks.note(yard(0).picture[:, :, 0], 0)
    assert looks.look(yard(0), (0.1, 0.3, 0.5, 0.73), ()).region.left_frac == pytest.approx(0.1)
