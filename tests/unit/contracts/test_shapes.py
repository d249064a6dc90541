"""Versions of a type: an earlier one is read as today's, and written until all readers know today's."""

from typing import ClassVar

import msgspec
import pytest

from services.contracts import notification, shapes, user
from services.contracts.catalog import TYPES
from services.contracts.envelope import schema_of
from services.contracts.shapes import Earlier


class Thing1(msgspec.Struct, frozen=True):
    name: str


class Thing2(msgspec.Struct, frozen=True):
    names: list[str]


class Thing(msgspec.Struct, frozen=True):
    first: str
    last: str = ""

    EARLIER: ClassVar[tuple[Earlier, ...]] = (
        Earlier(Thing1, lambda thing: Thing2(thing.name.split())),
        Earlier(Thing2, lambda thing: Thing(*thing.names), lambda thing: Thing2([thing.first, thing.last])),
    )


class Moved(msgspec.Struct, frozen=True):
    place: str

    EARLIER: ClassVar[tuple[Earlier, ...]] = (Earlier(Thing1, lambda thing: Moved(thing.name)),)


@pytest.mark.parametrize(
    ("version", "content"),
    [(1, b'{"name":"Ada Lovelace"}'), (2, b'{"names":["Ada","Lovelace"]}'), (3, b'{"first":"Ada","last":"Lovelace"}')],
)
def test_data_of_every_version_is_read_as_todays(version: int, content: bytes) -> None:
    assert shapes.readers("thing", Thing)[schema_of("thing", version)](content) == Thing("Ada", "Lovelace")


def test_a_version_is_written_until_all_readers_know_the_next_one() -> None:
    assert (shapes.written_version(Thing), shapes.written(Thing("Ada", "King"))) == (2, b'{"names":["Ada","King"]}')
    assert (shapes.written_version(Moved), shapes.written(Moved("here"))) == (2, b'{"place":"here"}')


def test_a_type_of_one_version_is_read_and_written_as_it_is() -> None:
    assert (shapes.written_version(Thing1), shapes.written(Thing1("Ada"))) == (1, b'{"name":"Ada"}')
    assert list(shapes.readers("thing", Thing1)) == [schema_of("thing")]


def test_data_that_is_not_of_its_version_is_invalid() -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field `name`"):
        shapes.readers("thing", Thing)[schema_of("thing", 1)](b'{"first":"Ada"}')


def test_the_newest_version_is_named_first_for_the_message_about_an_unknown_one() -> None:
    assert next(iter(shapes.readers("thing", Thing))) == schema_of("thing", 3)


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_what_is_written_of_a_type_is_read_back_by_its_version(kind: str) -> None:
    versions = shapes.versions_of(TYPES[kind])
    assert shapes.written_version(TYPES[kind]) in versions
    assert set(shapes.readers(kind, TYPES[kind])) == {schema_of(kind, number) for number in versions}


@pytest.mark.parametrize(
    "struct", sorted({*TYPES.values()} - {*user.Fact.__args__, *notification.Fact.__args__}, key=str)
)
def test_a_type_that_is_no_fact_of_an_event_store_has_one_version(struct: type[msgspec.Struct]) -> None:
    reason = "nothing notes its version: a state or notice gets a topic of its own, an operator's action first a column"
    assert list(shapes.versions_of(struct)) == [1], reason
