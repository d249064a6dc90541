"""Changes of a signed checkpoint, each with the finding that it must lead to."""

import base64
from collections.abc import Callable
from random import Random

from tests.support.tamperings.sample_log import Expected

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
KEY_ID = 4
LOG_LINE, WITNESS_LINE = 4, 5  # of the note, after three lines of text and an empty one
UNKNOWN = Expected(5, "no log of the policy signed")
NO_QUORUM = Expected(5, "quorum w1 is not reached")
CHANGED = Expected(1, "a checkpoint has been changed: ")


def flipped(content: bytes, rng: Random) -> bytes:
    """Return bytes with one bit flipped."""
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def other_bits(text: str) -> str:
    """Return other base64 of the same bytes, for a decoder that ignores the unused bits of the last digit."""
    digits = text.rstrip("=")
    changed = digits[:-1] + DIGITS[DIGITS.index(digits[-1]) + 1] + text[len(digits) :]
    assert base64.b64decode(changed) == base64.b64decode(text)
    assert changed != text
    return changed


def changed_note(rng: Random, note: bytes) -> tuple[bytes, Expected]:
    """Return a note with one change, and what is found."""
    lines = note.decode().split("\n")
    expected = rng.choice(CHANGES)(rng, lines)
    changed = "\n".join(lines).encode()
    assert changed != note
    return changed, expected


def broken_signature(rng: Random, note: bytes) -> bytes:
    """Return a note whose log's signature has a bit flipped."""
    lines = note.decode().split("\n")
    _signature(rng, lines)
    return "\n".join(lines).encode()


def _origin(rng: Random, lines: list[str]) -> Expected:
    at = rng.randrange(len(lines[0]))
    lines[0] = f"{lines[0][:at]}_{lines[0][at + 1 :]}"
    return UNKNOWN


def _size(rng: Random, lines: list[str]) -> Expected:
    lines[1] = str(int(lines[1]) + rng.randrange(1, 9))
    return CHANGED


def _root(rng: Random, lines: list[str]) -> Expected:
    lines[2] = base64.b64encode(flipped(base64.b64decode(lines[2]), rng)).decode()
    return CHANGED


def _root_bits(_: Random, lines: list[str]) -> Expected:
    lines[2] = other_bits(lines[2])
    return CHANGED


def _raw(lines: list[str], line: int, change: Callable[[bytes], bytes]) -> None:
    start, _, text = lines[line].rpartition(" ")
    lines[line] = f"{start} {base64.b64encode(change(base64.b64decode(text))).decode()}"


def _signature(rng: Random, lines: list[str]) -> Expected:
    _raw(lines, LOG_LINE, lambda raw: raw[:KEY_ID] + flipped(raw[KEY_ID:], rng))
    return CHANGED


def _cosignature(rng: Random, lines: list[str]) -> Expected:
    _raw(lines, WITNESS_LINE, lambda raw: raw[:KEY_ID] + flipped(raw[KEY_ID:], rng))
    return CHANGED


def _key_id(rng: Random, lines: list[str]) -> Expected:
    line = rng.choice((LOG_LINE, WITNESS_LINE))
    _raw(lines, line, lambda raw: flipped(raw[:KEY_ID], rng) + raw[KEY_ID:])
    return UNKNOWN if line == LOG_LINE else NO_QUORUM


def _signature_bits(rng: Random, lines: list[str]) -> Expected:
    line = rng.choice((LOG_LINE, WITNESS_LINE))
    start, _, text = lines[line].rpartition(" ")
    lines[line] = f"{start} {other_bits(text)}"
    return CHANGED


def _no_line(rng: Random, lines: list[str]) -> Expected:
    line = rng.choice((LOG_LINE, WITNESS_LINE))
    del lines[line]
    return UNKNOWN if line == LOG_LINE else NO_QUORUM


def _no_empty_line(_: Random, lines: list[str]) -> Expected:
    del lines[3]
    return CHANGED


CHANGES = (
    _origin, _size, _root, _root_bits, _signature, _cosignature, _key_id, _signature_bits, _no_line, _no_empty_line
)  # fmt: skip
