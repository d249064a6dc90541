"""The rows of a new service in files that name every service and cannot be derived from the list: `rows/*.toml`.

Each `[[row]]` has the `file`, the `text` to insert, and the text that it is inserted `before`, which is in the file
exactly once; without one it is inserted at the end.
"""

import tomllib
from collections.abc import Mapping

import msgspec

from services.console.failures import UsageError
from services.workbench.new_service.templates import ROWS, rendered


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in a shared file."""

    file: str
    text: str
    before: str = ""


def rows(values: Mapping[str, object]) -> list[Row]:
    """Return every row of a service."""
    lists = [tomllib.loads(rendered(path, values)) for path in sorted(ROWS.glob("*.toml"))]
    return [row for each in lists for row in msgspec.convert(each["row"], list[Row])]


def inserted(content: str, row: Row) -> str:
    """Return a file's content with the row. Raises UsageError unless its place is there once."""
    if not row.before:
        return content + row.text
    if (times := content.count(row.before)) != 1:
        raise UsageError(f"{row.file} has {row.before!r} {times} times, so the place of {row.text!r} is not known")
    return content.replace(row.before, row.text + row.before)


def removed(content: str, row: Row) -> str:
    """Return a file's content without the row. Raises UsageError unless it is there once, unchanged."""
    at_its_place = row.text + row.before
    if content.count(at_its_place) == 1:
        return content.replace(at_its_place, row.before)
    if (times := content.count(row.text)) != 1:
        raise UsageError(f"{row.file} has {row.text!r} {times} times: remove by hand what names the service")
    return content.replace(row.text, "")
