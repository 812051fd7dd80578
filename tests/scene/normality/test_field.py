"""What the cells of a picture say of how large a thing is, and how much they count near its edge."""

import numpy as np
import pytest

from agent.scene.normality.field import EDGE_CELLS, Field, Look, Map, Trail, edge_weights, look_at
from agent.types import Flow

ROWS, COLUMNS = 48, 86


def thing(row: int, column: int, *, changed: int | None, speed: int = 40) -> Flow:
    """Eight rows by four columns of cells to the right, `changed` thousandths of whose pixels changed."""
    cells: list[int] = []
    for r in range(row, row + 8):
        for c in range(column, column + 4):
            cells += [r * COLUMNS + c, 200, speed, 0]
    return Flow(rows=ROWS, columns=COLUMNS, cells=tuple(cells), changed=() if changed is None else (changed,) * 32)


def taught() -> Field:
    field = Field(ROWS, COLUMNS)
    for index in range(200):
        field.learn(look_at(thing(20, 20 + index % 40, changed=150 + 10 * (index % 7))))
    return field


def shifted(look: Look, surprise: float) -> Map:
    """What a trail says of one look at which every moving cell is as strange as any other."""
    strange = (look.active * surprise).astype(np.float32)
    nothing = np.zeros_like(strange)
    trail = Trail(ROWS, COLUMNS)
    return trail.follow(look, {"speed": strange, "size": nothing, "direction": nothing}, 0.1)


def test_what_covers_more_ground_at_the_usual_pace_and_contrast_is_unusually_large() -> None:
    field = taught()
    usual, larger = (field.surprise(look_at(thing(20, 40, changed=share))) for share in (180, 700))
    assert larger["size"].max() > usual["size"].max() + 5.0
    np.testing.assert_array_equal(larger["speed"], usual["speed"])


def test_a_recording_that_did_not_keep_how_many_pixels_changed_is_read_by_how_much_did() -> None:
    look = look_at(thing(20, 40, changed=None))
    kept = look_at(thing(20, 40, changed=667))  # a change of 20 levels, of 30 for each pixel
    np.testing.assert_allclose(look.cover, kept.cover, atol=1e-3)


def test_what_is_at_the_edge_counts_a_quarter_and_what_is_well_inside_counts_whole() -> None:
    weights = edge_weights(ROWS, COLUMNS)
    assert weights[0].max() == weights[:, -1].max() == pytest.approx(1 / EDGE_CELLS)
    assert weights[EDGE_CELLS:-EDGE_CELLS, EDGE_CELLS:-EDGE_CELLS].min() == 1.0
    inside, outermost = (shifted(look_at(thing(20, column, changed=200)), 8.0) for column in (40, COLUMNS - 4))
    assert outermost[0][:, -1].max() == pytest.approx(inside[0].max() / EDGE_CELLS, rel=1e-3)


def test_two_pictures_at_nearly_the_same_time_surprise_nobody() -> None:
    nothing = np.zeros((ROWS, COLUMNS), np.float32)
    surprise = {"speed": nothing, "size": nothing, "direction": nothing}
    told = Trail(ROWS, COLUMNS).follow(look_at(thing(20, 40, changed=200)), surprise, 1e-9)
    np.testing.assert_array_equal(told, np.zeros_like(told))
