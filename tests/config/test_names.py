"""Names in any script, and the identifiers that are made of them."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.names import IDENTIFIER_PATTERN, LONGEST_NAME, identifier, in_ascii, named, readable


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Eingang Süd", "eingang-sued"),
        ("Garage door", "garage-door"),
        ("Oma’s Tür", "omas-tuer"),
        ("Straße 7/b", "strasse-7-b"),
        ("Ñandú · Ålesund", "nandu-aalesund"),
        ("Żółta łąka", "zolta-laka"),
        ("🚗 Garage", "garage"),
        ("Door", "door"),
        ("su\u0308d", "sued"),
        ("A" * 64, "a" * 32),
        ("x" * 31 + " y", "x" * 31),
    ],
)
def test_an_identifier_is_what_one_would_type(name: str, made: str) -> None:
    assert identifier(name) == made


def test_what_has_no_latin_letters_has_an_identifier_of_its_own() -> None:
    made = [identifier(name) for name in ("入口", "出口", "入口 2", "出口 2", "Вход", "--", "")]
    assert len(set(made)) == len(made)
    assert identifier("入口", "zone").startswith("zone-")


@given(st.text(max_size=80))
def test_an_identifier_is_always_one_and_always_the_same(name: str) -> None:
    made = identifier(name)
    assert re.fullmatch(IDENTIFIER_PATTERN, made)
    assert identifier(name) == made
    assert in_ascii(name).isascii()


@given(st.text(max_size=80))
def test_a_name_that_is_taken_can_be_seen_and_is_taken_again_as_it_is(text: str) -> None:
    try:
        name = readable(text)
    except ValueError as refused:
        why, cure = refused.args
        assert "U+" in why
        assert cure
        return
    assert readable(name) == name
    assert name == name.strip()
    assert not {unicodedata.category(character) for character in name} & {"Cc", "Zl", "Zp", "Cs"}


@pytest.mark.parametrize("unseen", ["\n", "\t", "\0", "\x1b", "\x85", "\u2028", "\u202e", "\u200b", "\ufeff"])
def test_what_cannot_be_seen_is_refused_and_named(unseen: str) -> None:
    with pytest.raises(ValueError, match=f"U\\+{ord(unseen):04X}"):
        readable(f"Door{unseen}bell")


def test_what_scripts_need_is_kept() -> None:
    assert readable("👩\u200d🚒") == "👩\u200d🚒"
    assert readable("  Su\u0308d\u00a0West ") == "Süd West"


def test_what_can_be_an_identifier_needs_no_name() -> None:
    assert named("door_2", "camera") == ("door_2", "")
    assert named("Door 2", "camera") == ("door-2", "Door 2")
    for empty in ("", "  ", "ä" * (LONGEST_NAME + 1)):
        with pytest.raises(ValueError, match="1 to 64"):
            named(empty, "camera")
