"""The characters that a name or login may have.

Sources: Unicode TR 36, section 2.6, for bidirectional controls; RFC 5892, appendix A, for joiners.
"""

import unicodedata

import idna

from services.user.text.unique_form import IGNORABLE

# Bidirectional controls reorder the text after them, so that names can be forged; annotations hide a part of it.
CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufff9\ufffa\ufffb")
REFUSED = {
    "Cc": "control",
    "Cs": "surrogate",
    "Co": "private-use",
    "Cn": "unassigned",
    "Zl": "line separator",
    "Zp": "line separator",
}
BLANK = "\u2800"  # a Braille pattern without a dot: a symbol by its category
JOINERS = "\u200c\u200d"
EMOJI_PARTS = frozenset({"So", "Sk"})  # a symbol, a skin tone
VARIANT = "\ufe0f"  # the emoji form of the character before it


def problem(text: str) -> str | None:
    """Return what is wrong with a name or login, None if nothing is."""
    for at, character in enumerate(text):
        kind = "control" if character in CONTROLS else REFUSED.get(unicodedata.category(character))
        if kind is not None:
            return f"contains the {kind} character U+{ord(character):04X}: leave it out"
        if character in JOINERS and not _joins(text, at):
            return f"contains the joiner U+{ord(character):04X} where no script needs it: leave it out"
    return None if is_visible(text) else "has no visible character"


def is_visible(text: str) -> bool:
    """Return True if a text has a letter, digit, punctuation mark or symbol that is shown."""
    return any(unicodedata.category(one)[0] in "LNPS" and one != BLANK for one in IGNORABLE.sub("", text))


def _joins(text: str, at: int) -> bool:
    around = [part for part in (text[:at].rstrip(VARIANT)[-1:], text[at + 1 : at + 2]) if part]
    if len(around) == 2 and all(unicodedata.category(part) in EMOJI_PARTS for part in around):  # noqa: PLR2004
        return text[at] == "\u200d"  # a sequence of emoji, such as a family
    try:
        return idna.valid_contextj(text, at)
    except ValueError:  # a neighbour that no rule knows
        return False
