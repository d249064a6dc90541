"""Compatibility check of published shapes: a change must not break older readers, nor records in the log.

A topic is read by code older than its newest record and by code newer than its oldest. So a shape may gain an optional
field, and nothing else: even a value added to an enum stops an older reader.
"""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

Schema = Mapping[str, Any]
ROOT = Path(__file__).parents[3]
SCHEMAS = "docs/schemas"
BASELINE = ROOT / "tests/contract/baseline.json"
SAID = (
    "$schema",
    "$id",
    "title",
    "description",
    "$defs",
    "properties",
    "required",
)  # compared elsewhere, or not at all


def breaks(before: Mapping[str, Schema], after: Mapping[str, Schema]) -> list[str]:
    """Return a sentence for each break between two sets of schemas by name; none when readers will not notice."""
    return [change for name, schema in before.items() for change in _broken_type(name, schema, after.get(name))]


def published(root: Path = ROOT) -> dict[str, Schema] | None:
    """Return the schemas as of the newest tag, None where no tag is to be seen."""
    tag = _newest_tag(root)
    if tag is None:
        return None
    paths = (_git(root, "ls-tree", "--name-only", tag, f"{SCHEMAS}/") or "").split()
    return {Path(path).stem: msgspec.json.decode(_git(root, "show", f"{tag}:{path}") or "{}") for path in paths}


def committed(folder: str, root: Path = ROOT) -> set[str] | None:
    """Return the names of a folder's files as of the newest tag, or of the last commit where no tag is to be seen.

    None where there is no repository.
    """
    listed = _git(root, "ls-tree", "--name-only", _newest_tag(root) or "HEAD", f"{folder}/")
    return None if listed is None else {Path(path).name for path in listed.split()}


def baseline() -> dict[str, Schema]:
    """Return what counts as published where no tag is to be seen: as of the last `make docs`, or the tag before it."""
    schemas: dict[str, Schema] = msgspec.json.decode(BASELINE.read_bytes())
    return schemas


def _newest_tag(root: Path) -> str | None:
    return _git(root, "describe", "--tags", "--abbrev=0")


def _git(root: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout.strip() if done.returncode == 0 else None


def _broken_type(name: str, before: Schema, after: Schema | None) -> Iterator[str]:
    if after is None:
        yield f"{name}: the type was removed, its records stay on the log"
        return
    yield from _Comparison(before, after).of(name, before, after)


class _Comparison:
    def __init__(self, before: Schema, after: Schema) -> None:
        self._defined = before.get("$defs", {}), after.get("$defs", {})
        self._seen: set[tuple[str | None, str | None]] = set()

    def of(self, place: str, before: Schema, after: Schema) -> Iterator[str]:
        names = before.get("$ref"), after.get("$ref")
        if names != (None, None):
            if names in self._seen:  # a struct within itself
                return
            self._seen.add(names)
        before, after = _resolved(before, self._defined[0]), _resolved(after, self._defined[1])
        yield from self._fields(place, before, after)
        for word in sorted((set(before) | set(after)) - set(SAID)):
            yield from self._word(f"{place}: {word}", before.get(word), after.get(word))

    def _word(self, place: str, before: object, after: object) -> Iterator[str]:
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self.of(place, before, after)
        elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            for one, other in zip(before, after, strict=True):
                yield from self._word(place, one, other)
        elif before != after:
            yield f"{place} was {before!r}, is {after!r}"

    def _fields(self, place: str, before: Schema, after: Schema) -> Iterator[str]:
        had, has = before.get("properties", {}), after.get("properties", {})
        must_before, must = set(before.get("required", ())), set(after.get("required", ()))
        yield from (f"{place}.{name}: the field was removed" for name in had if name not in has)
        yield from (f"{place}.{name}: a required field was added" for name in has if name not in had and name in must)
        for name in (name for name in had if name in has):
            if (name in must) != (name in must_before):
                states = ("required", "optional") if name in must_before else ("optional", "required")
                yield f"{place}.{name}: was {states[0]}, is {states[1]}"
            yield from self.of(f"{place}.{name}", had[name], has[name])


def _resolved(schema: Schema, defined: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    rest = {name: value for name, value in schema.items() if name != "$ref"}
    return {**defined[schema["$ref"].rpartition("/")[2]], **rest}
