"""Names that people read, in any script, and the plain identifiers that are made of them.

An identifier stands in topics, files and databases for as long as the box does; a name may be changed any day.
"""

import hashlib
import re
import unicodedata

IDENTIFIER_PATTERN = r"^[a-z0-9_-]{1,32}$"
LONGEST_NAME = 64
LONGEST_IDENTIFIER = 32
_JOINERS = "\u200c\u200d"  # Persian and emoji need them
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # controls, directions of writing, half characters, line ends
_SPELLED = str.maketrans(
    {
        **{"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe", "å": "aa", "þ": "th"},
        **{"Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ẞ": "SS", "Æ": "Ae", "Œ": "Oe", "Ø": "Oe", "Å": "Aa", "Þ": "Th"},
        **{"đ": "d", "ð": "d", "ł": "l", "ı": "i", "Đ": "D", "Ð": "D", "Ł": "L"},
        **{"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "..."},
    }
)


def readable(text: str) -> str:
    """Return `text` as a name: composed, without blanks around it. Raises ValueError (why, cure) for what is unseen."""
    blank = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text).strip()
    name = unicodedata.normalize("NFC", blank)
    for character in name:
        if unicodedata.category(character) in _UNSEEN and character not in _JOINERS:
            raise ValueError(
                f"a name is one line of text that can be seen, and U+{ord(character):04X} in it is not",
                "Take that character out.",
            )
    return name


def named(text: str, what: str) -> tuple[str, str]:
    """Return identifier and name of a `what` (camera, zone …) that is to be called `text`.

    What can be an identifier is one, and needs no name besides. Raises ValueError (why, cure).
    """
    if re.fullmatch(IDENTIFIER_PATTERN, text):
        return text, ""
    name = readable(text)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(
            f"a name has 1 to {LONGEST_NAME} characters, this one has {len(name)}", "Take one of that length."
        )
    return identifier(name, what), name


def in_ascii(text: str) -> str:
    """Return `text` as near as ASCII comes to it; what has no letters in ASCII is a ?."""
    return _bare(text).encode("ascii", "replace").decode()


def identifier(name: str, what: str = "camera") -> str:
    """Return the plain identifier of the name of a `what`: "Eingang Süd" is eingang-sued. Always the same, never empty.

    Where letters are lost on the way (入口), a digest of the name stands for them, so that two names stay two.
    """
    bare = _bare(name).lower()
    made = "-".join(re.findall(r"[a-z0-9_]+", bare.replace("'", "")))
    if made and not any(character.isalpha() and not character.isascii() for character in bare):
        return made[:LONGEST_IDENTIFIER].rstrip("-")
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{(made or what)[: LONGEST_IDENTIFIER - 7].rstrip('-')}-{digest}"


def _bare(text: str) -> str:
    """Return `text` with its Latin letters spelled in ASCII."""
    spelled = unicodedata.normalize("NFC", text).translate(_SPELLED)
    return "".join(each for each in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(each))
