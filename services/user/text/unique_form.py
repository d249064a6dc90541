"""The form in which logins and addresses are unique.

Sources: the Unicode Standard, section 3.13 (NFKC_Casefold), and UAX 44 (Default_Ignorable_Code_Point).
"""

import re
import unicodedata

# Default_Ignorable_Code_Point: shown as nothing, except where a font needs them.
IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def casefolded(text: str) -> str:
    """Return the form in which logins and addresses are unique: NFKC_Casefold, which drops invisible characters."""
    if text.isascii():
        return text.lower()
    before = None
    while text != before:
        before, text = (
            text,
            unicodedata.normalize("NFKC", IGNORABLE.sub("", unicodedata.normalize("NFKC", text)).casefold()),
        )
    return text
