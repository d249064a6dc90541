"""Signed notes: a text, and lines with signatures of it (C2SP signed-note); golang.org/x/mod/sumdb/note reads them."""

import unicodedata
from collections.abc import Iterable

import msgspec

from services.chassis.transparency.canonical_base64 import decoded, encoded

MARK = "— "  # an em dash and a blank begin the line of a signature
LONGEST_NAME = 255
LARGEST_NOTE = 1_000_000  # bytes, as x/mod has it
MOST_SIGNATURES = 100
KEY_ID_BYTES = 4


class NoteError(ValueError):
    """A note is not accepted; the message gives the reason."""


class MalformedNoteError(NoteError):
    """The bytes are no signed note."""


class UnknownKeyError(NoteError):
    """No signature is by a key that was asked for."""


class BadSignatureError(NoteError):
    """A signature by a known key does not fit the text."""


class Signature(msgspec.Struct, frozen=True):
    """One signature: the key's name and id, and the bytes after the id."""

    name: str
    key_id: bytes
    content: bytes

    def line(self) -> str:
        """Return the line in a note, with its end."""
        return f"{MARK}{self.name} {encoded(self.key_id + self.content)}\n"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Return the signature of a line without its end. Raises MalformedNoteError."""
        name, blank, content = line.removeprefix(MARK).partition(" ")
        if not line.startswith(MARK) or not blank:
            raise MalformedNoteError(f"not the line of a signature: {line!r}")
        try:
            check_name(name)
            raw = decoded(content)
        except ValueError as error:
            raise MalformedNoteError(f"not the line of a signature: {error}") from None
        if len(raw) <= KEY_ID_BYTES:
            raise MalformedNoteError(f"a signature of {name} has {len(raw)} bytes")
        return cls(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


class Note(msgspec.Struct, frozen=True):
    """A text that ends with a line's end, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        """Return the note as it is stored and sent."""
        return f"{self.text}\n{''.join(each.line() for each in self.signatures)}".encode()

    def with_lines(self, lines: Iterable[str]) -> "Note":
        """Return the note with further lines of signatures, each with its end. Raises MalformedNoteError."""
        added = (Signature.parse(line.removesuffix("\n")) for line in lines)
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *added))))

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Return the note from its bytes. Raises MalformedNoteError."""
        text, blank, signatures = _decoded_text(data).rpartition("\n\n")
        if not blank or not signatures.endswith("\n"):
            raise MalformedNoteError("not a signed note: it needs an empty line and, after it, lines of signatures")
        lines = signatures.removesuffix("\n").split("\n")
        if len(lines) > MOST_SIGNATURES:
            raise MalformedNoteError(f"not a signed note: it has {len(lines)} signatures")
        return cls(text + "\n", tuple(map(Signature.parse, lines)))


def check_name(name: str) -> None:
    """Check the name of a key, which for a log is its origin too. Raises ValueError."""
    try:
        encoded_name = name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a key's name cannot be {name!r}: {error.reason}") from None
    if not 0 < len(encoded_name) <= LONGEST_NAME:
        raise ValueError(f"a key's name has from 1 to {LONGEST_NAME} bytes, not {len(encoded_name)}")
    if "+" in name or name.endswith("/") or any(_is_refused(character) for character in name):
        raise ValueError(f"a key's name has no space, no +, no control character and no / at its end: {name!r}")


def _is_refused(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cc", "Zs", "Zl", "Zp"}


def _decoded_text(data: bytes) -> str:
    if len(data) > LARGEST_NOTE:
        raise MalformedNoteError(f"not a signed note: it has {len(data)} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedNoteError(f"not a signed note: not UTF-8 at byte {error.start}") from None
    if any(character < " " and character != "\n" for character in text):
        raise MalformedNoteError("not a signed note: it has a control character")
    return text
