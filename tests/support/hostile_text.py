"""Hypothesis strategies of hostile text, and a search for what must not leave a personal field."""

import sys
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

# So many brackets are decoded, and are too many for Python code that descends: from 3.12 on it takes one frame a level.
NESTED = 600 if sys.version_info < (3, 12) else 1_000
MARK = "qXpersonalX7"  # in every personal text that a test sends
WORST = ["\0", "\r\nBcc: eve@evil.example", "=?utf-8?q?x=0D=0AReply-To:_eve@evil.example?=", "\x1b[2J", "\ud800"]
PIECES = [
    *(
        "\0",
        "\r\n",
        "\n",
        "\r\n\r\n",
        "\x1b[2J\x07",
        "\x9b31m",
        "\u202e",
        "\u200b",
        "\u200d",
        "\u2028",
        "\ufeff",
        "\ud800",
    ),
    *(
        "\r\nBcc: eve@evil.example",
        "=?utf-8?q?x=0D=0AReply-To:_eve@evil.example?=",
        "=?utf-8?b?DQoNCkhlbGxv?=",
        "\r\n.\r\n",
    ),
    *(
        "<script>alert(1)</script>",
        "&lt;b&gt;",
        '"><img src=x>',
        "{{ 7 * 7 }}",
        "{% raw %}",
        "%s%n",
        "${x}",
        "\\x00",
        "\\",
    ),
    *(
        "'; DROP TABLE users; --",
        '\n{"event": "forged"}',
        "../",
        "Ada",
        "\u0130\u00df\ufb01",
        "\U000e0041",
        "\ue000",
        "@",
    ),
]
# Bounded, and the same at every run: a door has hundreds of tests of its own beside this one.
few = settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
characters = st.characters() | st.characters(categories=["Cs", "Cc", "Cf"])
pieces = st.sampled_from(WORST) | st.sampled_from(PIECES) | st.text(characters, max_size=8)
texts = st.sampled_from(WORST) | st.lists(pieces, max_size=4).map("".join)
raw = texts.map(lambda text: text.encode(errors="surrogatepass")) | st.binary(max_size=40)
marked = texts.map(lambda text: text + MARK)
json_texts = texts.filter(lambda text: not any("\ud800" <= one <= "\udfff" for one in text))


def leaked(value: Any) -> bool:  # JSON
    """Return True if decoded JSON has the mark outside fields named `personal`."""
    if isinstance(value, dict):
        return any(leaked(name) or (name != "personal" and leaked(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return any(map(leaked, value))
    return isinstance(value, str) and MARK.lower() in value.lower()
