"""Published shapes stay readable: optional additions pass, every other change is named."""

import enum
import subprocess
from pathlib import Path
from typing import Annotated, Any, Optional

import msgspec
import pytest

from services.workbench.documents.compatibility import SCHEMAS, baseline, breaks, committed, published
from services.workbench.documents.schemas import Schema, schemas

GONE = object()


def struct(title: str, /, **fields: Any) -> Any:
    """Return a struct. A field is given by its type, or by its type and its default; GONE leaves it out."""
    parts = [(name, *(field if isinstance(field, tuple) else (field,))) for name, field in fields.items()]
    return msgspec.defstruct(title, [part for part in parts if part[1] is not GONE], kw_only=True)


def colours(*values: str) -> Any:
    return enum.StrEnum("Colour", {value.upper(): value for value in values})


def address(**fields: Any) -> Any:
    return struct("Address", **{"town": str, **fields})


def former(**fields: Any) -> Any:
    return list[struct("Former", **{"town": str, **fields})]  # type: ignore[misc]  # made at run time


def shape(**fields: Any) -> Schema:
    """Return the usual schema, other fields where given."""
    usual = {
        "name": str,
        "colour": colours("red", "green"),
        "address": address(),
        "former": former(),
        "tags": list[str],
        "age": (int, 0),
    }
    schema: Schema = msgspec.json.schema(struct("Thing", **(usual | fields)))
    return schema


def found(after: Schema, before: Schema | None = None) -> list[str]:
    return breaks({"t.1": before or shape()}, {"t.1": after})


@pytest.mark.parametrize(
    "after",
    [
        shape(),
        shape(nickname=(str, "")),
        shape(nickname=(Optional[str], None)),  # noqa: UP045  # a value here, not an annotation
        shape(address=address(street=(str, ""))),
        shape(former=former(street=(str, ""))),
        shape() | {"title": "Renamed", "description": "better words"},
    ],
    ids=["nothing", "with a default", "nullable", "in a nested struct", "in a list", "words"],
)
def test_an_optional_addition_is_let_through_at_every_level(after: Schema) -> None:
    assert found(after) == []


@pytest.mark.parametrize(
    ("after", "change"),
    [
        (shape(name=GONE), ".name: the field was removed"),
        (shape(age=GONE), ".age: the field was removed"),
        (shape(name=GONE, full_name=(str, "")), ".name: the field was removed"),
        (shape(full_name=str), ".full_name: a required field was added"),
        (shape(name=int), ".name: type was 'string', is 'integer'"),
        (shape(age=(float, 0)), ".age: type was 'integer', is 'number'"),
        (shape(name=Optional[str]), ".name: type was 'string', is None"),  # noqa: UP045  # as above
        (shape(age=int), ".age: was optional, is required"),
        (shape(name=(str, "")), ".name: was required, is optional"),
        (shape(age=(int, 1)), ".age: default was 0, is 1"),
        (shape(age=(Annotated[int, msgspec.Meta(ge=0)], 0)), ".age: minimum was None, is 0"),
        (shape(colour=colours("red")), ".colour: enum was ['green', 'red'], is ['red']"),
        (
            shape(colour=colours("red", "green", "blue")),
            ".colour: enum was ['green', 'red'], is ['blue', 'green', 'red']",
        ),
        (shape(colour=colours("red", "blue")), ".colour: enum was 'green', is 'blue'"),
        (shape(colour=str), ".colour: type was None, is 'string'"),
        (shape(tags=list[int]), ".tags: items: type was 'string', is 'integer'"),
        (shape(address=str), ".address.town: the field was removed"),
        (shape(address=address(town=GONE)), ".address.town: the field was removed"),
        (shape(address=address(street=str)), ".address.street: a required field was added"),
        (shape(former=former(town=int)), ".former: items.town: type was 'string', is 'integer'"),
        (shape() | {"additionalProperties": False}, ": additionalProperties was None, is False"),
    ],
)
def test_whatever_a_reader_would_notice_is_named(after: Schema, change: str) -> None:
    assert f"t.1{change}" in found(after)


def test_a_break_in_a_struct_within_itself_is_found_once() -> None:
    before = {
        "$ref": "#/$defs/T",
        "$defs": {"T": {"properties": {"next": {"$ref": "#/$defs/T"}, "a": {"type": "null"}}}},
    }
    after = {"$ref": "#/$defs/T", "$defs": {"T": {"properties": {"next": {"$ref": "#/$defs/T"}}}}}
    assert found(before, before) == []
    assert found(after, before) == ["t.1.a: the field was removed"]


def test_a_struct_that_is_renamed_stays_the_same_shape() -> None:
    renamed = shape(address=struct("Place", town=str))
    assert found(renamed) == []


def test_a_type_may_come_but_not_go() -> None:
    assert breaks({}, {"t.1": shape()}) == []
    assert breaks({"t.1": shape()}, {"t.2": shape()}) == ["t.1: the type was removed, its records stay on the log"]


def test_our_shapes_break_nothing_that_is_published() -> None:
    """By the newest tag, or by the baseline where none is to be seen."""
    before = published()
    broken = breaks(baseline() if before is None else before, schemas())
    assert broken == [], "publish a new type version beside the old; before the first tag, run make docs"


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)  # noqa: S607


def commit(root: Path, schema: Schema) -> None:
    path = root / SCHEMAS / "t.1.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(schema))
    git(root, "add", ".")
    git(root, "commit", "-m", "shape")


def test_shapes_are_published_from_the_first_tag_on_and_the_newest_counts(tmp_path: Path) -> None:
    git(tmp_path, "init")
    commit(tmp_path, shape(name=int))
    assert published(tmp_path) is None
    commit(tmp_path, shape())
    git(tmp_path, "tag", "v1")
    commit(tmp_path, shape(nickname=(str, "")))
    git(tmp_path, "tag", "v2")
    commit(tmp_path, shape(name=str, nickname=GONE))
    assert published(tmp_path) == {"t.1": shape(nickname=(str, ""))}
    assert breaks(published(tmp_path) or {}, {"t.1": shape()}) == ["t.1.nickname: the field was removed"]


def test_a_file_is_committed_from_the_first_commit_on_and_after_a_tag_only_by_the_next_one(tmp_path: Path) -> None:
    assert committed(SCHEMAS, tmp_path) is None
    git(tmp_path, "init")
    commit(tmp_path, shape())
    assert committed(SCHEMAS, tmp_path) == {"t.1.json"}
    git(tmp_path, "tag", "v1")
    (tmp_path / SCHEMAS / "t.2.json").write_text("{}")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "more")
    assert committed(SCHEMAS, tmp_path) == {"t.1.json"}


def test_a_tag_from_before_the_schemas_publishes_none(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "README").write_text("hello")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "tag", "v0")
    assert published(tmp_path) == {}


def test_where_there_is_no_repository_nothing_is_tagged(tmp_path: Path) -> None:
    assert published(tmp_path) is None
