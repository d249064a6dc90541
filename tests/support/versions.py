"""A version of a type that nobody has published: the shape of today becomes it, and what was before is another one."""

import contextlib
from collections.abc import Iterator

import msgspec
import pytest

from services.contracts import shapes
from services.contracts.shapes import Earlier


class Wrapped(msgspec.Struct, frozen=True):
    """The earlier version: today's data in a field of its own, so that who reads it as today's finds nothing."""

    was: msgspec.Raw


def wrapped(data: bytes) -> bytes:
    """Return data of today in the earlier version."""
    return msgspec.json.encode(Wrapped(msgspec.Raw(data)))


@contextlib.contextmanager
def a_next_version(struct: type[msgspec.Struct], *, written: bool = True) -> Iterator[int]:
    """Give a type one version more than it has, and return its number. `written` tells whether publishers moved."""
    earlier = Earlier(
        Wrapped,
        lambda old: msgspec.json.decode(old.was, type=struct),
        None if written else lambda new: Wrapped(msgspec.Raw(msgspec.json.encode(new))),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(struct, "EARLIER", (*shapes.earlier_of(struct), earlier), raising=False)
        _forget()
        yield len(shapes.versions_of(struct))
    _forget()


def _forget() -> None:
    shapes.readers.cache_clear()
    shapes.written_version.cache_clear()
