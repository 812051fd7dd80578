"""Observations leave in the order of time, whatever the order in which they arrive."""

from agent.scene.reorder import ReorderBuffer
from agent.types import Blind, Tick
from tests.scene.observe import blind, heard, ns, seen


def test_observations_leave_in_the_order_of_time_once_nothing_earlier_can_come() -> None:
    buffer = ReorderBuffer(ns(0.25))
    assert list(buffer.push(Tick(at_ns=ns(1.0)))) == []
    assert list(buffer.push(Tick(at_ns=ns(0.9)))) == []
    assert [tick.at_ns for tick in buffer.push(Tick(at_ns=ns(1.2)))] == [ns(0.9)]
    assert [tick.at_ns for tick in buffer.flush()] == [ns(1.0), ns(1.2)]


def test_what_is_late_leaves_at_once_in_the_order_of_its_own_sense() -> None:
    buffer = ReorderBuffer(ns(0.25))
    pictures = [one for t in (1.0, 1.5, 2.0) for one in buffer.push(seen(t))]
    assert [one.at_ns for one in pictures] == [ns(1.0), ns(1.5)]
    assert [one.at_ns for t in (0.6, 1.1) for one in buffer.push(heard(t))] == [ns(0.6), ns(1.1)]
    assert [one.at_ns for one in buffer.push(seen(1.2))] == []  # a newer picture was told
    assert [one.at_ns for one in buffer.push(seen(1.2, camera="other"))] == [ns(1.2)]
    assert buffer.dropped == 1


def test_what_comes_far_too_late_is_dropped_and_counted() -> None:
    buffer = ReorderBuffer(ns(0.25))
    list(buffer.push(Tick(at_ns=ns(10.0))))
    list(buffer.push(Tick(at_ns=ns(11.0))))
    assert list(buffer.push(Tick(at_ns=ns(2.0)))) == []
    assert buffer.dropped == 0, "that a time has passed is known by then"
    assert list(buffer.push(Blind(camera="hall", at_ns=ns(4.9), modality="sound", reason="timeout"))) == []
    assert buffer.dropped == 1
    assert len(list(buffer.push(Blind(camera="hall", at_ns=ns(5.1), modality="sound", reason="timeout")))) == 1


def test_without_lateness_everything_leaves_at_once() -> None:
    buffer = ReorderBuffer(0)
    assert len(list(buffer.push(Tick(at_ns=5)))) == 1


def test_observations_of_one_moment_leave_by_type_and_camera() -> None:
    mixed = [Tick(at_ns=ns(1)), blind(1, "timeout"), heard(1.0), seen(1.0, camera="b"), seen(1.0, camera="a")]
    for order in (mixed, mixed[::-1]):
        buffer = ReorderBuffer(ns(0.25))
        for observation in order:
            assert list(buffer.push(observation)) == []
        out = list(buffer.flush())
        assert [type(one).__name__ for one in out] == ["Seen", "Seen", "Heard", "Blind", "Tick"]
        assert [getattr(one, "camera", "") for one in out] == ["a", "b", "cam", "cam", ""]
