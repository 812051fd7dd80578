"""Overload: fewer pictures first, then smaller ones, and large ones again when there is time for them."""

from agent.service.overload import GOOD_AFTER, LARGE_AGAIN_S, WINDOW_S, OverloadControl


class Eyes:
    """Looks at what it is given, window by window."""

    def __init__(self, *, can_shrink: bool = True) -> None:
        self.now_s = 100.0
        self.replaced = 0
        self.load = OverloadControl(self.now_s, can_shrink=can_shrink)
        self.changes: list[str] = []

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


def test_fewer_pictures_come_first_then_smaller_ones() -> None:
    eyes = Eyes()
    assert eyes.window(looked=30, lost=20) == "fewer"
    assert not eyes.load.smaller
    assert eyes.load.reasons() == ["overload: fewer pictures are looked at"]
    assert eyes.window(looked=20, lost=30) == "fewer"
    assert eyes.window(looked=20, lost=30) == "smaller"
    assert eyes.load.smaller
    assert eyes.load.reasons() == ["overload: fewer and smaller pictures"]
    assert eyes.changes == ["fewer", "smaller"]


def test_one_bad_moment_makes_nothing_smaller() -> None:
    eyes = Eyes()
    for _ in range(5):
        assert eyes.window(looked=10, lost=40) == "fewer"
        eyes.window(looked=50, lost=0)
    assert eyes.changes == ["fewer"]


def test_what_is_smallest_already_only_becomes_fewer() -> None:
    assert Eyes(can_shrink=False).window(looked=5, lost=45, times=10) == "fewer"


def test_it_ends_when_every_picture_is_looked_at_again() -> None:
    eyes = Eyes()
    eyes.window(looked=30, lost=20)
    assert eyes.window(looked=50, lost=0, times=GOOD_AFTER - 1) == "fewer"
    assert eyes.window(looked=50, lost=0) == "none"


def test_large_pictures_come_back_when_the_eyes_are_idle_and_are_tried_more_and_more_rarely() -> None:
    eyes = Eyes()
    waits_s = []
    for _ in range(4):
        eyes.window(looked=20, lost=30, times=2)
        assert eyes.load.smaller
        since_s = eyes.now_s
        assert eyes.window(looked=50, lost=0, busy_frac=0.8, times=3) == "smaller", "no time for large ones"
        while eyes.window(looked=50, lost=0, busy_frac=0.4) == "smaller":
            assert eyes.now_s - since_s < 1000
        waits_s.append(eyes.now_s - since_s)
    assert waits_s == [LARGE_AGAIN_S * 2**n for n in range(4)]
