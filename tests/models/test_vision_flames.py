"""More photographs of fires: which of them are one fire, and which are the same picture."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

from models.vision import flames


def test_neighbours_by_number_are_one_group_and_others_are_not() -> None:
    assert flames.tens("FIRE-123-") == flames.tens("FIRE-121-") != flames.tens("FIRE-141-")
    assert flames.tens("a-very-long-name-of-hexadecimals-123") == "a-very-long-name-of-hexadecimals-123"


def test_of_two_pictures_that_look_alike_the_first_stays() -> None:
    prints = np.eye(3, 576, dtype=np.float32)[[0, 1, 0, 2]]
    assert flames.first_of_each(prints).tolist() == [True, True, False, True]
