"""Standing change on drawn pictures: what comes, what goes, and what light, nudges and people who stand do not do."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from agent.features.standing import StandingChange
from agent.types import Box, Standing, Uint8Array

SIZE = (180, 320)
FPS = 4
PUT = (slice(100, 128), slice(150, 190))
"""Where the thing stands, in rows and columns."""


def place(seed: int = 3) -> Uint8Array:
    """A floor, a wall and things on it, as a camera shows them: blurred, with some texture."""
    rng = np.random.default_rng(seed)
    picture = np.full((*SIZE, 3), (150, 145, 138), np.uint8)
    picture[:70] = (175, 178, 170)
    for _ in range(14):
        top, left = int(rng.integers(0, 150)), int(rng.integers(0, 290))
        picture[top : top + 22, left : left + 26] = rng.integers(40, 220, 3)
    picture[90:140, 130:215] = (150, 145, 138)  # nothing stands there
    return np.asarray(cv2.GaussianBlur(picture, (5, 5), 0), np.uint8)


def noisy(picture: Uint8Array, frame: int) -> Uint8Array:
    noise = np.random.default_rng(frame).normal(0.0, 3.0, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def with_thing(picture: Uint8Array, colour: tuple[int, int, int] = (60, 90, 160)) -> Uint8Array:
    shown = picture.copy()
    shown[PUT] = colour
    shown[PUT[0].start : PUT[0].start + 9, PUT[1]] = tuple(min(255, c + 45) for c in colour)
    return np.asarray(cv2.GaussianBlur(shown, (3, 3), 0), np.uint8)


def person_at(picture: Uint8Array, x: int) -> tuple[Uint8Array, Box]:
    """Somebody over `x`, whose clothes differ from step to step."""
    shown = picture.copy()
    left, right = max(0, x - 14), min(SIZE[1], x + 14)
    if right > left:
        shown[50:135, left:right] = (40 + x % 50, 60, 50 + x % 37)
    box = Box(left_frac=(x - 14) / 320, top_frac=50 / 180, right_frac=(x + 14) / 320, bottom_frac=135 / 180)
    return shown, box


def look(
    pictures: Callable[[float], Uint8Array],
    end_s: float,
    busy: Callable[[float], list[Box]] = lambda _: [],
    change: StandingChange | None = None,
) -> dict[float, tuple[Standing, ...]]:
    """What is told at each look."""
    change = change or StandingChange()
    told = {}
    for frame in range(round(end_s * FPS)):
        at_s = frame / FPS
        found = change.see(noisy(pictures(at_s), frame), round(at_s * 1e9), busy(at_s))
        if found is not None:
            told[at_s] = found
    return told


def brought(at_s: float, *, brings: bool = True, found: bool = True) -> tuple[Uint8Array, list[Box]]:
    """Somebody walks in at 8 s, stays at the place from 10 to 12 s and goes; from then on a thing is there, or not."""
    empty = place()
    before, after = (empty, with_thing(empty)) if brings else (with_thing(empty), empty)
    if not 8.0 <= at_s < 16.0:
        return (before if at_s < 8.0 else after), []
    walked = (at_s - 8.0) / 2.0 if at_s < 10.0 else 1.0 if at_s < 12.0 else 1.0 + (at_s - 12.0) / 2.0
    shown, box = person_at(before if at_s < 11.0 else after, round(170 * walked) + round(9 * np.sin(9 * at_s)))
    return shown, [box] if found else []


def pictures_of(**how: bool) -> tuple[Callable[[float], Uint8Array], Callable[[float], list[Box]]]:
    return lambda at_s: brought(at_s, **how)[0], lambda at_s: brought(at_s, **how)[1]


@pytest.mark.parametrize("found", [True, False])
def test_what_somebody_puts_down_is_told_as_new_where_it_stands(found: bool) -> None:
    told = look(*(pictures_of(found=found)[:1]), 22.0, pictures_of(found=found)[1])
    assert not any(patch.new_frac > 0 for at_s, patches in told.items() if at_s < 10.0 for patch in patches)
    (patch,) = told[21.0]
    assert patch.new_frac > 0.5
    assert patch.unlike_frac > 0.5
    assert patch.stood_s >= 5.0
    assert abs(patch.box.left_frac - 150 / 320) < 0.02
    assert abs(patch.box.bottom_frac - 128 / 180) < 0.04


def test_what_somebody_takes_away_is_told_as_gone() -> None:
    told = look(*pictures_of(brings=False)[:1], 22.0, pictures_of(brings=False)[1])
    (patch,) = told[21.0]
    assert patch.new_frac < -0.5
    assert patch.known_s >= 6.0


def test_it_is_no_longer_told_once_it_is_gone_again() -> None:
    def pictures(at_s: float) -> Uint8Array:
        return brought(at_s)[0] if at_s < 22.0 else brought(at_s - 22.0, brings=False)[0]

    def busy(at_s: float) -> list[Box]:
        return brought(at_s if at_s < 22.0 else at_s - 22.0)[1]

    told = look(pictures, 42.0, busy)
    assert told[21.0]
    assert told[41.0] == ()


@pytest.mark.parametrize(
    "light",
    [
        lambda picture: picture * 0.55,
        lambda picture: np.minimum(picture * 1.5, 255),
        lambda picture: np.concatenate([picture[:, :160], picture[:, 160:] * 0.6], axis=1),  # a lamp on one side
        lambda picture: np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2) * 0.8,  # the infrared
    ],
)
def test_light_that_is_switched_brings_nothing(light: Callable[[Uint8Array], np.ndarray]) -> None:
    told = look(lambda at_s: place() if at_s < 8.0 else light(place()).astype(np.uint8), 24.0)
    assert not any(told.values())


def test_a_shadow_that_creeps_brings_nothing() -> None:
    def pictures(at_s: float) -> Uint8Array:
        picture = place().astype(np.float32)
        edge = round(10 * at_s)
        picture[80:, max(0, edge - 60) : max(0, edge)] *= 0.6
        return picture.astype(np.uint8)

    assert not any(look(pictures, 30.0).values())


def test_who_stands_still_is_no_thing() -> None:
    def pictures(at_s: float) -> Uint8Array:
        return person_at(place(), 170)[0] if at_s >= 8.0 else place()

    assert not any(look(pictures, 25.0, lambda at_s: [person_at(place(), 170)[1]] if at_s >= 8.0 else []).values())


@pytest.mark.parametrize("shift_px", [1, 2, 12])
def test_a_camera_that_is_nudged_brings_nothing(shift_px: int) -> None:
    def pictures(at_s: float) -> Uint8Array:
        return np.roll(place(), shift_px, axis=1) if at_s >= 8.0 else place()

    assert not any(look(pictures, 24.0).values())


def test_a_picture_that_is_lost_and_back_brings_nothing() -> None:
    def pictures(at_s: float) -> Uint8Array:
        return np.full((*SIZE, 3), 90, np.uint8) if 8.0 <= at_s < 14.0 else place()

    assert not any(look(pictures, 26.0).values())


def test_leaves_that_never_rest_bring_nothing() -> None:
    def pictures(at_s: float) -> Uint8Array:
        picture = place()
        leaves = np.random.default_rng(round(at_s * FPS) // 2).integers(0, 2, (10, 12)) * 130 + 30
        picture[20:70, 20:80] = np.kron(leaves, np.ones((5, 5)))[..., None]
        return picture

    assert not any(look(pictures, 40.0).values())


def test_after_a_while_it_belongs_to_the_place() -> None:
    told = look(*pictures_of()[:1], 40.0, pictures_of()[1], StandingChange(absorb_s=12.0))
    assert any(patch.ends for patches in told.values() for patch in patches)
    assert told[39.0] == ()


def test_what_is_there_at_the_beginning_belongs_to_the_place() -> None:
    assert not any(look(lambda _: with_thing(place()), 20.0).values())


def test_pictures_between_two_looks_are_not_looked_at() -> None:
    change = StandingChange()
    assert change.see(place(), 0, []) == ()
    assert change.see(place(), 200_000_000, []) is None
    assert change.see(place(), 500_000_000, []) == ()


def test_another_size_and_a_time_that_runs_backwards_begin_anew() -> None:
    change = StandingChange()
    change.see(place(), 5_000_000_000, [])
    assert change.see(place()[:, :240], 6_000_000_000, []) == ()
    assert change.see(place()[:, :240], 1_000_000_000, []) == ()


def test_the_same_pictures_tell_the_same() -> None:
    first, second = (look(*pictures_of()[:1], 20.0, pictures_of()[1]) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("size_px", [(1, 192), (320, 1), (1, 1), (108, 192)])
def test_a_strip_costs_no_more_than_a_picture(size_px: tuple[int, int]) -> None:
    change = StandingChange()
    picture = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    assert change.see(picture, 0, []) == ()
    assert change._looks is not None
    assert change._looks.now.size <= 160 * 640 * 3
