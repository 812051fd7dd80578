"""What happens in a queue when its reader cannot keep up."""

import threading

import numpy as np
import pytest

from agent.errors import WorkerError
from agent.service.channels import Lossless, NewestFrames, SoundQueue, drained
from agent.types import Frame, SoundBlock


def _frame(camera: str, at_ns: int) -> Frame:
    return Frame(camera=camera, at_ns=at_ns, picture=np.zeros((2, 2, 3), np.uint8), width_px=2, height_px=2)


def _block(camera: str, at_ns: int) -> SoundBlock:
    return SoundBlock(camera=camera, at_ns=at_ns, samples=np.zeros(4, np.float32))


def test_a_newer_picture_replaces_the_one_nobody_took_and_is_counted() -> None:
    frames = NewestFrames()
    frames.put(_frame("a", 1))
    frames.put(_frame("a", 2))
    taken = frames.take(0)
    assert taken is not None
    assert taken.at_ns == 2
    assert frames.take(0) is None
    assert frames.replaced("a") == 1
    assert frames.replaced("b") == 0


def test_the_camera_that_waited_longest_is_served_first_even_after_a_replacement() -> None:
    frames = NewestFrames()
    frames.put(_frame("a", 1))
    frames.put(_frame("b", 2))
    frames.put(_frame("a", 3))
    assert [(frame.camera, frame.at_ns) for frame in drained(frames.take)] == [("a", 3), ("b", 2)]


def test_sound_is_kept_in_order_up_to_the_limit() -> None:
    queue = SoundQueue(limit_blocks=3)
    for at_ns in (1, 2, 3):
        queue.put(_block("a", at_ns))
    assert [(block.at_ns, block.gap_before) for block in drained(queue.take)] == [(1, False), (2, False), (3, False)]
    assert queue.dropped == 0


def test_beyond_the_limit_the_oldest_sound_goes_and_the_next_block_of_that_camera_says_so() -> None:
    queue = SoundQueue(limit_blocks=3)
    for camera, at_ns in (("a", 1), ("b", 2), ("a", 3), ("b", 4)):
        queue.put(_block(camera, at_ns))
    left = [(block.camera, block.at_ns, block.gap_before) for block in drained(queue.take)]
    assert left == [("b", 2, False), ("a", 3, True), ("b", 4, False)]
    assert queue.dropped == 1


def test_a_full_queue_before_the_judge_is_a_fault() -> None:
    queue: Lossless[int] = Lossless("the judge's queue", limit=2)
    queue.put(1)
    queue.put(2)
    with pytest.raises(WorkerError, match="judge"):
        queue.put(3)
    assert drained(queue.take) == [1, 2]


def test_sound_is_as_far_behind_as_the_camera_of_which_most_waits() -> None:
    queue = SoundQueue(limit_blocks=5)
    assert queue.waiting == 0
    for camera in ("a", "b", "c", "b"):
        queue.put(_block(camera, 1))
    assert queue.waiting == 2, "many cameras with little each are no backlog"
    assert queue.caught_up(2, 0.0)
    assert not queue.caught_up(1, 0.0)
    queue.put(_block("a", 2))
    queue.put(_block("c", 2))  # the first of a goes
    assert queue.waiting == 2
    drained(queue.take)
    assert queue.waiting == 0


def test_who_waits_for_sound_goes_on_as_soon_as_enough_is_taken() -> None:
    queue = SoundQueue()
    for at_ns in range(3):
        queue.put(_block("a", at_ns))
    waited = threading.Event()

    def wait() -> None:
        assert queue.caught_up(1, 60.0)
        waited.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    queue.take(0.0)
    assert not waited.wait(0.1)
    queue.take(0.0)
    assert waited.wait(30.0)
    thread.join()
