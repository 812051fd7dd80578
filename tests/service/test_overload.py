"""Overload: the extras rest first, then fewer pictures, then smaller ones, and all comes back when there is time."""

from agent.service.overload import AGAIN_S, GOOD_AFTER, STARTING_S, WINDOW_S, OverloadControl

LEANER = "overload: closer looks and learned normality rest"
FEWER = "overload: fewer pictures are looked at"
SMALLER = "overload: fewer and smaller pictures"


class Eyes:
    """Looks at what it is given, window by window."""

    def __init__(self, *, can_shrink: bool = True) -> None:
        self.now_s = 100.0
        self.replaced = 0
        self.load = OverloadControl(self.now_s, can_shrink=can_shrink)
        self.changes: list[str] = []
        self.load.note(self.now_s, pictures=1, busy_s=0.1, replaced=0)
        self.now_s += STARTING_S

    def window(self, *, looked: int, lost: int, busy_frac: float = 1.0, times: int = 1) -> str:
        for _ in range(times):
            self.now_s += WINDOW_S
            self.replaced += lost
            busy_s = busy_frac * WINDOW_S
            if self.load.note(self.now_s, pictures=looked, busy_s=busy_s, replaced=self.replaced):
                self.changes.append(self.load.level)
        return self.load.level


def test_who_keeps_up_is_not_overloaded_nor_who_has_nothing_to_see() -> None:
    eyes = Eyes()
    assert eyes.window(looked=50, lost=0, times=3) == "none"
    assert eyes.window(looked=0, lost=0, busy_frac=0.0, times=3) == "none"
    assert eyes.window(looked=48, lost=2) == "none"
    assert eyes.load.reasons() == []
    assert not eyes.load.leaner


def test_the_extras_rest_first_then_fewer_pictures_then_smaller_ones() -> None:
    eyes = Eyes()
    assert eyes.window(looked=20, lost=30) == "leaner"
    assert eyes.load.reasons() == [LEANER]
    assert eyes.load.leaner
    assert eyes.window(looked=20, lost=30) == "fewer"
    assert not eyes.load.smaller
    assert eyes.load.reasons() == [FEWER]
    assert eyes.window(looked=20, lost=30) == "smaller"
    assert eyes.load.smaller
    assert eyes.load.leaner
    assert eyes.load.reasons() == [SMALLER]
    assert eyes.changes == ["leaner", "fewer", "smaller"]


def test_where_resting_is_enough_nothing_more_is_given_up() -> None:
    eyes = Eyes()
    eyes.window(looked=30, lost=20)
    assert eyes.window(looked=50, lost=0, busy_frac=0.8, times=100) == "leaner", "with the extras it would be too much"


def test_what_is_lost_while_the_sources_open_is_no_overload() -> None:
    load = OverloadControl(0.0, can_shrink=True)
    load.note(20.0, pictures=0, busy_s=0.0, replaced=0)
    for window in range(3):
        load.note(21.0 + window * WINDOW_S, pictures=10, busy_s=1.0, replaced=40 * window)
    assert load.level == "none"
    assert load.note(21.0 + 3 * WINDOW_S, pictures=10, busy_s=1.0, replaced=120)


def test_one_bad_moment_makes_nothing_smaller() -> None:
    eyes = Eyes()
    for _ in range(5):
        eyes.window(looked=10, lost=40)
        eyes.window(looked=50, lost=0)
    assert eyes.changes == ["leaner", "fewer"]


def test_what_is_smallest_already_only_becomes_fewer() -> None:
    assert Eyes(can_shrink=False).window(looked=5, lost=45, times=10) == "fewer"


def test_all_comes_back_step_by_step_when_there_is_time() -> None:
    eyes = Eyes()
    eyes.window(looked=30, lost=20, times=2)
    assert eyes.window(looked=50, lost=0, busy_frac=0.4, times=GOOD_AFTER - 1) == "fewer"
    assert eyes.window(looked=50, lost=0, busy_frac=0.4) == "leaner"
    assert eyes.window(looked=50, lost=0, busy_frac=0.4) == "none"


def test_extras_that_bring_the_overload_back_are_tried_more_and_more_rarely() -> None:
    eyes = Eyes()
    waits_s = []
    for _ in range(4):
        eyes.window(looked=30, lost=20)
        since_s = eyes.now_s
        while eyes.window(looked=50, lost=0, busy_frac=0.4) == "leaner":
            assert eyes.now_s - since_s < 1000
        waits_s.append(eyes.now_s - since_s)
    assert waits_s == [AGAIN_S * 2**n for n in range(4)]
    eyes.window(looked=50, lost=0, busy_frac=0.4, times=200)
    eyes.window(looked=30, lost=20)
    since_s = eyes.now_s
    while eyes.window(looked=50, lost=0, busy_frac=0.4) == "leaner":
        """Until all is back."""
    assert eyes.now_s - since_s == AGAIN_S, "an hour later it is another matter"


def test_large_pictures_come_back_when_the_eyes_are_idle_and_are_tried_more_and_more_rarely() -> None:
    eyes = Eyes()
    waits_s = []
    for _ in range(4):
        while eyes.window(looked=20, lost=30) != "smaller":
            """Until even fewer are too many."""
        since_s = eyes.now_s
        assert eyes.window(looked=50, lost=0, busy_frac=0.8, times=3) == "smaller", "no time for large ones"
        while eyes.window(looked=50, lost=0, busy_frac=0.4) == "smaller":
            assert eyes.now_s - since_s < 1000
        waits_s.append(eyes.now_s - since_s)
        assert eyes.load.level == "leaner"
    assert waits_s == [AGAIN_S * 2**n for n in range(4)]


def test_a_worse_level_asks_for_the_cure_and_says_it_unchanged_while_it_lasts() -> None:
    rates: list[float] = []

    def cure(pictures_per_s: float) -> str:
        rates.append(pictures_per_s)
        return f"Do something ({len(rates)})"

    load = OverloadControl(0.0, can_shrink=False, cure=cure)
    load.note(0.0, pictures=1, busy_s=0.0, replaced=0)
    load.note(STARTING_S, pictures=0, busy_s=0.0, replaced=0)
    assert load.note(STARTING_S + WINDOW_S, pictures=30, busy_s=4.0, replaced=20)
    assert load.reasons() == [f"{LEANER}. Do something (1)"]
    assert load.note(STARTING_S + 2 * WINDOW_S, pictures=20, busy_s=4.0, replaced=50)
    assert not load.note(STARTING_S + 3 * WINDOW_S, pictures=10, busy_s=4.0, replaced=90)
    assert load.reasons() == [f"{FEWER}. Do something (2)"]
    assert rates == [30 / WINDOW_S, 20 / WINDOW_S]
