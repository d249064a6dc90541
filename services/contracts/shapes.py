"""Versions of a type's data: which of them are read, which is written, and how an earlier one becomes today's.

A topic of facts is their history, so it holds every version that was ever published. Every reader decodes through
`readers`, every publisher encodes through `written`; their code knows today's struct only. Knows no event by name.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from services.contracts.envelope import schema_of

Read = Callable[[bytes], msgspec.Struct]


class Earlier(msgspec.Struct, frozen=True):
    """An earlier version of a type: its struct, and the function that makes the next version's struct of it.

    The structs that a type had before are in the class variable `EARLIER` of today's, version 1 first.
    `downcast` is the way back. While the last of them has one, that version is written, so that all readers can be
    upgraded first; without it, today's is.
    """

    struct: type[msgspec.Struct]
    upcast: Callable[[Any], msgspec.Struct]
    downcast: Callable[[Any], msgspec.Struct] | None = None


def earlier_of(struct: type[msgspec.Struct]) -> tuple[Earlier, ...]:
    """Return the earlier versions of a type, version 1 first."""
    found: tuple[Earlier, ...] = getattr(struct, "EARLIER", ())
    return found


def versions_of(struct: type[msgspec.Struct]) -> dict[int, type[msgspec.Struct]]:
    """Return the structs of all versions of a type, today's last."""
    return dict(enumerate((*(one.struct for one in earlier_of(struct)), struct), 1))


@functools.cache
def written_version(struct: type[msgspec.Struct]) -> int:
    """Return the version in which a type is published."""
    earlier = earlier_of(struct)
    return len(earlier) if earlier and earlier[-1].downcast else len(earlier) + 1


def written(data: msgspec.Struct) -> bytes:
    """Return data as it is published, in JSON."""
    earlier = earlier_of(type(data))
    back = earlier[-1].downcast if earlier else None
    return msgspec.json.encode(data if back is None else back(data))


@functools.cache
def readers(kind: str, struct: type[msgspec.Struct]) -> Mapping[str, Read]:
    """Return the functions that read a type's data as today's struct, by the `ce_dataschema` of the record.

    They raise what a decoder of msgspec does.
    """
    read: Read = msgspec.json.Decoder(struct).decode
    found = {schema_of(kind, len(earlier_of(struct)) + 1): read}
    steps: tuple[Callable[[Any], msgspec.Struct], ...] = ()
    for number, one in reversed(list(enumerate(earlier_of(struct), 1))):
        steps = (one.upcast, *steps)
        found[schema_of(kind, number)] = functools.partial(_upcast, msgspec.json.Decoder(one.struct), steps)
    return found


def _upcast(
    decoder: msgspec.json.Decoder[msgspec.Struct], steps: tuple[Callable[[Any], msgspec.Struct], ...], content: bytes
) -> msgspec.Struct:
    data = decoder.decode(content)
    for step in steps:
        data = step(data)
    return data
