import logging

import pytest

from agent.capture.state import Backoff, Herald, SourceState


def test_a_change_is_told_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    told: list[SourceState] = []
    herald = Herald("door", told.append)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            herald.tell("lost", ("vision", "sound"), "refused", "connection refused")
        herald.tell("running", ("vision",))
        herald.tell("running", ("vision", "sound"))
        herald.tell("lost", ("sound",), "silent")
    assert [(state.status, state.modalities, state.blind_reason) for state in told] == [
        ("lost", ("vision", "sound"), "refused"),
        ("running", ("vision",), None),
        ("running", ("sound",), None),
        ("lost", ("sound",), "silent"),
    ]
    assert len(caplog.records) == 4


def test_another_reason_is_another_state() -> None:
    told: list[SourceState] = []
    herald = Herald("door", told.append)
    herald.tell("lost", ("vision",), "ended")
    herald.tell("lost", ("vision",), "refused")
    assert [state.reason for state in told] == ["ended", "refused"]


def test_waits_double_up_to_a_minute_and_jitter_shortens_them() -> None:
    longest = Backoff(lambda: 1.0)
    assert [longest.wait_s(transient=True) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    shortest = Backoff(lambda: 0.0)
    assert [shortest.wait_s(transient=True) for _ in range(3)] == [0.5, 1, 2]


def test_a_wrong_password_is_tried_rarely_so_that_the_account_is_not_locked() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.wait_s(transient=False) for _ in range(6)] == [30, 60, 120, 240, 480, 600]


def test_success_makes_the_next_failure_the_first() -> None:
    backoff = Backoff(lambda: 1.0)
    backoff.wait_s(transient=True)
    backoff.wait_s(transient=True)
    backoff.reset()
    assert backoff.wait_s(transient=True) == 1
