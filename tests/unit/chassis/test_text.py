"""Text from outside: what a database stores and what a terminal shows of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.database.text import escaped, storable, unescaped
from services.chassis.messages.printable import printable, printable_lines

LONE = st.characters(categories=["Cs"])


@given(st.binary() | st.lists(st.sampled_from([b"\\", b"x", b"00", b"\\x5c", b"\0", b"\xff", b"\x1b"])).map(b"".join))
def test_bytes_are_restored_from_their_escaped_text_which_databases_and_terminals_take(content: bytes) -> None:
    text = escaped(content)
    assert unescaped(text) == content
    assert storable(text) == text
    assert not set(text) & {chr(code) for code in range(32)}


@given(st.text(st.characters() | LONE))
def test_a_storable_text_has_no_nul_and_no_half_of_a_pair_and_others_stay_as_they_are(text: str) -> None:
    stored = storable(text)
    assert "\0" not in stored.encode().decode()
    assert stored == text or "\0" in text or any("\ud800" <= one <= "\udfff" for one in text)
    assert storable(stored) == stored


@given(st.text(st.characters() | LONE))
def test_a_printed_text_has_one_line_and_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert shown.splitlines() in ([], [shown])
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in shown)
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Ada Łukasz 李", "Ada Łukasz 李"), ("\x1b[2J\r\n", r"\x1b[2J\x0d\x0a"), ("\u202ea\x9b", r"\u202ea\x9b")],
)
def test_controls_are_shown_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable_lines(f"{text}\n{text}") == "\n".join(map(printable, f"{text}\n{text}".split("\n")))
