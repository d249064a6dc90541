"""Parquet: the columns of a row with their types, written in groups of rows by pyarrow, an optional library."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO

import msgspec
import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from services.console.export.formats import Write
from services.console.export.rows import Row

# A group of rows is in memory until it is written.
GROUP_ROWS = 20_000
GROUP_BYTES = 16 * 1024 * 1024

TIME = pa.timestamp("us", tz="UTC")
TYPES = {
    **dict.fromkeys(Row.__struct_fields__, pa.string()),
    **dict.fromkeys(("timestamp", "time"), TIME),
    **dict.fromkeys(("partition", "subjectversion"), pa.int32()),
    **dict.fromkeys(("offset", "sequence"), pa.int64()),
    "tombstone": pa.bool_(),
}
JSON = {"data", "headers", "raw"}  # columns of JSON as text
SCHEMA = pa.schema(list(TYPES.items()))


@contextmanager
def parquet(file: IO[bytes]) -> Iterator[Write]:
    """Yield what writes rows. The file is complete, and can be read, when the context ends."""
    with ParquetWriter(file, SCHEMA) as writer:
        group = _Group(writer)
        yield group.add
        group.write()


class _Group:
    """Rows that wait for their group to be full."""

    def __init__(self, writer: ParquetWriter) -> None:
        self._writer = writer
        self._columns: dict[str, list[object]] = {name: [] for name in TYPES}
        self._bytes = 0

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            for name, column in self._columns.items():
                column.append(self._value(name, getattr(row, name)))
            if self._bytes >= GROUP_BYTES or len(self._columns["offset"]) >= GROUP_ROWS:
                self.write()

    def write(self) -> None:
        """Write the group, unless it is empty."""
        if self._columns["offset"]:
            self._writer.write_table(pa.table(self._columns, schema=SCHEMA))
        self._columns = {name: [] for name in TYPES}
        self._bytes = 0

    def _value(self, name: str, value: object) -> object:
        if name in JSON and value is not None:
            value = msgspec.json.encode(value).decode()
            self._bytes += len(value)
        return datetime.fromisoformat(str(value)) if TYPES[name] == TIME and value is not None else value
