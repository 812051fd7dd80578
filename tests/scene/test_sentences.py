"""What an incident says can be read by a guard."""

import pytest

from agent.scene.policy import RULES
from agent.scene.sentences import sentence


@pytest.mark.parametrize("kind", sorted(RULES))
def test_every_kind_has_a_sentence_a_guard_can_read(kind: str) -> None:
    words = {
        "from": "walking", "down_s": 0.6, "lying_s": 1.2, "over_db": 31.0, "inside_s": 2.0, "still_s": 3.0,
        "reason": "it stopped answering", "way": "in", "count": 6, "lasted_s": 12.0, "what": "suitcase",
        "alone_s": 60.0, "gone_s": 6.0,
    }  # fmt: skip
    said = sentence(kind, words, cameras=("stairwell",), zones=(), agreeing=())
    assert "stairwell" in said
    assert said[0].isupper()
    assert said.endswith(".")
    assert "{" not in said


def test_a_sentence_says_where_and_what_agrees() -> None:
    words = {"variant": "fell", "from": "standing", "down_s": 0.6, "lying_s": 1.2}
    said = sentence("fall", words, cameras=("stairwell",), zones=("landing",), agreeing=("thud",))
    assert said == (
        "Person fell at stairwell, zone landing: went from standing to lying in 0.6 s and stayed down 1.2 s; "
        "a thud was heard."
    )


def test_a_sentence_does_not_say_that_a_moment_was_long_nor_one_sound_twice() -> None:
    words = {"variant": "fell", "from": "walking", "down_s": 0.8, "lying_s": 0.1}
    said = sentence("fall", words, cameras=("hall",), zones=(), agreeing=("thud", "crash"))
    assert said == "Person fell at hall: went from walking to lying in 0.8 s; a thud was heard."
    assert "a crash was heard" in sentence("fall", words, cameras=("hall",), zones=(), agreeing=("crash",))
