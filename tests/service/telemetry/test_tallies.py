"""Sound at most once a second and only on change; counts each minute; both valid against their schemas."""

import json
from datetime import datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent.config.schema import Camera, Config, Line, Node, Zone
from agent.scene import Policy, Scene
from agent.service.telemetry.tallies import Tallies, top_labels
from agent.types import Observation
from agent.uplink.messages.payload import schema
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.answers import Answer
from agent.uplink.mqtt.latest import Latest
from tests.scene.observe import heard, in_order, listening, person, score, ticks, times, watching

EVERYWHERE = Zone(polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
DOOR = Line(line=((0.5, 0.0), (0.5, 1.0)))
CONFIG = Config(
    node=Node(name="box"), cameras={"cam": Camera(url="x", zones={"gate": EVERYWHERE}, lines={"door": DOOR})}
)


class Told:
    """What was said, as data, after it was held against its schema."""

    def __init__(self) -> None:
        self.sound: list[dict[str, Any]] = []
        self.stats: list[dict[str, Any]] = []
        self.presence: list[dict[str, Any]] = []

    def once(self, answer: Answer) -> None:
        assert (answer.topic, answer.qos) == ("vedette/box/cam/sound", 0)
        self.sound.append(self._valid("sound-1", answer.payload))

    def say(self, latest: Latest) -> None:
        if latest.topic == "vedette/box/cam/presence":
            assert latest.retain
            self.presence.append(self._valid("presence-1", latest.payload))
            return
        assert (latest.topic, latest.retain) == ("vedette/box/cam/stats", True)
        self.stats.append(self._valid("stats-1", latest.payload))

    def _valid(self, name: str, payload: bytes) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(payload)
        Draft202012Validator(schema(name)).validate(message)
        return message


def play(observations: list[Observation]) -> Told:
    told, scene = Told(), Scene(Policy.of(CONFIG))
    tallies = Tallies(
        CONFIG,
        topics=Topics("vedette", "box"),
        say=told.say,
        once=told.once,
        wall_offset_ns=lambda: 1_790_000_000 * 10**9,
    )
    for observation in observations:
        scene.step(observation)
        tallies.stepped(scene, observation)
    return told


def second(at: str) -> float:
    """Return the scene's second of a time on the wall."""
    return datetime.fromisoformat(at).timestamp() - 1_790_000_000


def levels(*dbfs: float) -> list[Observation]:
    return [heard(0.5 * (index + 1), level_dbfs=level) for index, level in enumerate(dbfs)]


def test_a_steady_level_is_told_once() -> None:
    assert [message["level_dbfs"] for message in play(levels(*[-60.0] * 20)).sound] == [-60.0]


@pytest.mark.parametrize(("change_db", "count"), [(2.9, 1), (3.0, 2), (-3.1, 2)])
def test_three_decibels_are_news(change_db: float, count: int) -> None:
    assert len(play(levels(-60.0, -60.0, -60.0 + change_db)).sound) == count


def test_a_restless_place_is_told_of_once_a_second() -> None:
    told = play(levels(*[-60.0, -50.0, -40.0, -30.0] * 10))
    assert len(told.sound) == 20


def test_what_it_sounds_like_is_news_and_the_likeliest_three_are_named() -> None:
    told = play([heard(1.0), heard(2.0, scream=6.0, crash=5.5, speech=7.0, alarm=4.5), heard(3.0)])
    assert [[label["label"] for label in message["labels"]] for message in told.sound] == [
        [],
        ["speech", "scream", "crash"],
        [],
    ]


def test_the_background_is_told_once_it_is_known() -> None:
    told = play([*listening(12.0), heard(12.5, level_dbfs=-30.0)])
    assert told.sound[0]["background_dbfs"] is None
    assert told.sound[-1]["background_dbfs"] == pytest.approx(-60.0, abs=3.0)


def test_digital_silence_has_no_level() -> None:
    (message,) = play([heard(1.0, level_dbfs=float("-inf"))]).sound
    assert message["level_dbfs"] is None


def test_labels_that_are_as_likely_keep_one_order() -> None:
    scores = (score("b", 5.0), score("a", 5.0), score("c", -9.0))
    assert [one.label for one in top_labels(scores)] == ["a", "b"]


def test_each_minute_tells_who_is_there_and_how_long_they_were() -> None:
    def people(at_s: float) -> list[Any]:
        return [person(0.3, 0.8), person(0.7, 0.8)] if 10 <= at_s < 30 else [person(0.3, 0.8)] if at_s > 50 else []

    told = play(in_order(watching(62.0, people, fps=4.0), listening(62.0)))
    (stats,) = told.stats
    assert (stats["people"], stats["people_most"]) == (1, 2)
    assert stats["zones"]["gate"]["inside"] == 1
    assert stats["zones"]["gate"]["dwell_s"] == pytest.approx(2 * 20 + 10, abs=6)
    assert stats["noise"]["level_dbfs"] == pytest.approx(-60.0, abs=1.0)
    assert stats["noise"]["peak_dbfs"] == pytest.approx(-47.0, abs=1.5)


def test_who_comes_is_told_at_once_and_who_goes_a_little_later() -> None:
    told = play(watching(20.0, lambda at_s: [person(0.3, 0.8)] if 5 <= at_s < 10 else []))
    assert [message["things"] for message in told.presence] == [{}, {"person": 1}, {}]
    assert [message["zones"] for message in told.presence] == [{"gate": {}}, {"gate": {"person": 1}}, {"gate": {}}]
    came, went = (second(message["at"]) for message in told.presence[1:])
    assert 5.5 <= came <= 7.0
    assert 12.5 <= went <= 16.0


def test_somebody_who_is_overlooked_for_a_moment_is_still_there() -> None:
    told = play(watching(20.0, lambda at_s: [person(0.3, 0.8)] if not 10 <= at_s < 12 else []))
    assert [message["things"] for message in told.presence] == [{}, {"person": 1}]


def test_a_camera_that_is_not_looked_through_says_nothing_of_who_is_there() -> None:
    told = play(in_order(watching(5.0, lambda _: [person(0.3, 0.8)]), listening(30.0)))
    assert [message["things"] for message in told.presence] == [{}, {"person": 1}, None]
    assert told.presence[-1]["zones"] is None


def test_a_camera_without_a_picture_never_speaks_of_who_is_there() -> None:
    assert not play(listening(20.0)).presence


def test_each_minute_tells_how_often_a_line_was_crossed_and_how_often_in_all() -> None:
    def people(at_s: float) -> list[Any]:
        there = at_s % 10 < 5
        return [person(0.3 + 0.08 * (at_s % 5 if there else 5 - at_s % 5), 0.8)]

    first, second = play(watching(124.0, people)).stats
    assert first["lines"]["door"] == {"in": 6, "out": 6, "in_total": 6, "out_total": 6}
    assert second["lines"]["door"] == {"in": 6, "out": 6, "in_total": 12, "out_total": 12}


def test_nobody_is_counted_where_nothing_is_seen() -> None:
    told = play([*ticks(125.0)])
    assert [stats["people"] for stats in told.stats] == [None, None]
    assert told.stats[0]["zones"]["gate"] == {"inside": None, "dwell_s": 0.0}
    assert told.stats[0]["noise"] == {"level_dbfs": None, "peak_dbfs": None, "background_dbfs": None}


def test_a_camera_that_stops_showing_anything_stops_being_counted() -> None:
    told = play(in_order(watching(5.0, lambda _: [person(0.3, 0.8)]), ticks(62.0)))
    assert told.stats[0]["people"] is None
    assert told.stats[0]["people_most"] == 1


def test_loud_moments_weigh_by_their_energy() -> None:
    quiet = [heard(at_s, level_dbfs=-60.0) for at_s in times(0.5, 60.0, 0.5)]
    told = play(in_order([*quiet, heard(60.2, level_dbfs=-20.0)], ticks(62.0)))
    assert told.stats[0]["noise"]["level_dbfs"] == pytest.approx(-40.7, abs=0.5)
