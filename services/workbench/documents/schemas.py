"""The JSON Schema of every version of every type, out of its struct; `ce_dataschema` is the `$id` of its schema."""

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from services.contracts.catalog import TYPES
from services.contracts.envelope import schema_of
from services.contracts.shapes import versions_of

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"  # msgspec's


def schemas() -> dict[str, Schema]:
    """Return the schemas by `type.version`."""
    return {
        f"{name}.{version}": _schema(schema_of(name, version), struct)
        for name, newest in TYPES.items()
        for version, struct in versions_of(newest).items()
    }


def _schema(uri: str, struct: type[msgspec.Struct]) -> Schema:
    shape = msgspec.json.schema(struct)
    return {"$schema": DIALECT, "$id": uri, **shape, "$defs": unindented(shape["$defs"])}


def unindented(shapes: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return shapes with the same descriptions under every Python: 3.13 and later unindent docstrings themselves."""
    return {name: shape | {"description": inspect.cleandoc(shape["description"])} for name, shape in shapes.items()}
