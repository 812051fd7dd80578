import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from agent.capture.microphone import MicrophoneSpec
from agent.capture.portaudio import Captured
from agent.errors import SourceError
from tests.capture.media import MS
from tests.capture.recorder import listening


class FakeInput:
    """A microphone under the test's control; `hang` makes closing take until `go_on`."""

    def __init__(self, rate_hz: int = 16_000) -> None:
        self.rate_hz = rate_hz
        self.opened = 0
        self.fails: list[SourceError] = []
        self.closed = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._on_samples: Callable[[Captured], None] | None = None
        self._on_finished: Callable[[], None] | None = None

    def open(self, device: str, on_samples: Callable[[Captured], None], on_finished: Callable[[], None]) -> "FakeInput":
        if self.fails:
            raise self.fails.pop(0)
        self._on_samples, self._on_finished = on_samples, on_finished
        self.opened += 1
        return self

    def close(self) -> None:
        self._running.wait(60)
        self.closed.set()

    def wait_open(self, times: int = 1) -> None:
        deadline_s = time.monotonic() + 60
        while self.opened < times:
            assert time.monotonic() < deadline_s, "it was never opened"
            time.sleep(0.005)

    def capture(self, seconds: float = 0.1, *, overflowed: bool = False, channels: int = 1) -> None:
        assert self._on_samples is not None
        samples = np.full((round(self.rate_hz * seconds), channels), 0.25, np.float32)
        self._on_samples(Captured(samples, int(seconds * 1e9), overflowed))

    def finish(self) -> None:
        assert self._on_finished is not None
        self._on_finished()

    def hang(self) -> None:
        self._running.clear()

    def go_on(self) -> None:
        self._running.set()


# A busy machine may hold up the test's own thread, too: where nothing shall be missed, the limits are long.
SPEC = MicrophoneSpec(camera="door", device="fake", open_timeout_s=30.0, stall_timeout_s=0.5, reopen_timeout_s=30.0)
PATIENT = replace(SPEC, stall_timeout_s=30.0)


def test_sound_is_stamped_when_it_was_converted_not_when_it_came() -> None:
    fake = FakeInput()
    with listening(PATIENT, fake) as heard:
        fake.wait_open()
        called_ns = time.monotonic_ns()
        fake.capture()
        returned_ns = time.monotonic_ns()
        heard.wait(lambda: len(heard.sound) == 1, "block")
    block = heard.sound[0][1]
    assert called_ns <= block.at_ns + 100 * MS <= returned_ns + MS
    assert (block.camera, len(block.samples), block.gap_before) == ("door", 1600, False)
    assert fake.closed.wait(60)


def test_a_device_with_its_own_rate_and_channels_becomes_16_khz_mono() -> None:
    fake = FakeInput(rate_hz=48_000)
    with listening(SPEC, fake) as heard:
        fake.wait_open()
        for _ in range(3):
            fake.capture(channels=2)
        heard.wait(lambda: len(heard.sound) >= 2, "two blocks")
    assert len(heard.sound[0][1].samples) == 1600
    assert abs(float(heard.sound[1][1].samples.mean()) - 0.25) < 0.01


def test_a_microphone_that_delivers_nothing_is_noticed_and_welcomed_back() -> None:
    fake = FakeInput()
    with listening(SPEC, fake) as heard:
        fake.wait_open()
        fake.capture()
        heard.wait_state("running", None)
        heard.wait_state("lost", "silent")
        told = len(heard.states)
        fake.capture()
        heard.wait_state("running", None, after=told)
        heard.wait(lambda: len(heard.sound) == 2, "second block")
    assert fake.opened == 1
    assert [block.gap_before for _, block in heard.sound] == [False, True]


def test_an_overflow_is_a_gap() -> None:
    fake = FakeInput()
    with listening(PATIENT, fake) as heard:
        fake.wait_open()
        fake.capture()
        fake.capture(overflowed=True)
        heard.wait(lambda: len(heard.sound) == 2, "second block")
    assert [block.gap_before for _, block in heard.sound] == [False, True]


def test_a_microphone_that_stops_is_opened_again_and_its_sound_marked() -> None:
    fake = FakeInput()
    with listening(SPEC, fake) as heard:
        fake.wait_open()
        fake.capture()
        heard.wait_state("running", None)
        fake.fails = [SourceError("microphone fake cannot be opened", fault="refused", why="no daemon")]
        fake.finish()
        heard.wait_state("lost", "ended")
        heard.wait_state("lost", "refused")
        fake.wait_open(times=2)
        fake.capture()
        heard.wait(lambda: len(heard.sound) == 2, "sound again")
    assert heard.sound[1][1].gap_before


def test_an_input_that_hangs_in_closing_for_ever_gives_way_to_a_new_one() -> None:
    fake = FakeInput()
    with listening(replace(SPEC, reopen_timeout_s=1.0), fake) as heard:
        fake.wait_open()
        fake.capture()
        heard.wait_more(sound=1) if not heard.sound else None
        fake.hang()
        heard.wait_state("lost", "silent")
        fake.wait_open(times=2)
        assert not fake.closed.is_set()
        fake.capture()
        heard.wait(lambda: len(heard.sound) == 2, "sound of the new input")
        fake.go_on()
    assert heard.sound[1][1].gap_before


def test_stopping_does_not_wait_for_a_daemon_that_hangs() -> None:
    fake = FakeInput()
    with listening(SPEC, fake) as heard:
        fake.wait_open()
        fake.capture()
        heard.wait_more(sound=1) if not heard.sound else None
        fake.hang()
    assert not fake.closed.is_set()
    fake.go_on()
    assert fake.closed.wait(60)
