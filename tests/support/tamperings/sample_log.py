"""A small log that is tampered with: in a database, restored after each tampering, and as an export."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from sqlalchemy import Connection, Table, delete, insert, select
from typer.testing import CliRunner

from services.audit import store
from services.audit.__main__ import app
from services.audit.notary.checkpoint_store import checkpoints
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from tests.support.audit_log import TOPIC_IDS, a_fact, open_log, record_all
from tests.support.signed_audit_log import a_policy, append

TABLES: tuple[Table, ...] = (store.log, store.chains, store.entries, store.nodes, checkpoints)
Offsets = dict[tuple[str, int], int]  # the last one of each topic and partition
TOPICS = tuple(TOPIC_IDS)


class Expected(NamedTuple):
    """The exit code and the message of the rule that finds a tampering."""

    code: int
    pattern: str

    def check(self, code: int, output: str) -> None:
        """Compare with what was found."""
        assert (code, bool(re.search(self.pattern, output))) == (self.code, True), (self, code, output)


class SampleLog:
    """A log of so many signed entries, with checkpoints of three sizes, and entries after them."""

    def __init__(self, folder: Path, database: Database, url: str, signed: int, tail: int) -> None:
        self.folder, self.database, self.url = folder, database, url
        self.signed, self.total = signed, signed + tail
        self.sizes = (signed // 3, 2 * signed // 3, signed)
        self.policy = a_policy(folder)
        rng = Random(signed)
        records = list(some_records(rng, self.total, {}))
        open_log(database)
        for start, end in zip((0, *self.sizes), self.sizes, strict=False):
            append(database, records[start:end])
        if tail:
            record_all(database, *records[signed:])
        with database.read() as connection:
            self._rows = {table: connection.execute(select(table)).mappings().all() for table in TABLES}
        self.export(folder / "whole")

    @contextmanager
    def changed(self) -> Iterator[Connection]:
        """Yield a transaction to tamper in, which is committed; everything is restored by `restore`."""
        with self.database.write() as connection:
            yield connection

    def restore(self) -> None:
        """Bring all rows back."""
        with self.database.write() as connection:
            for table, rows in self._rows.items():
                connection.execute(delete(table))
                if rows:
                    connection.execute(insert(table), [dict(row) for row in rows])

    def verified(self) -> tuple[int, str]:
        """Return exit code and output of `verify` of the database."""
        return run("verify", "--policy", self.policy, url=self.url)

    def verified_export(self, folder: Path) -> tuple[int, str]:
        """Return exit code and output of `verify` of an export."""
        return run("verify", folder, "--policy", self.policy)

    def export(self, folder: Path) -> None:
        """Export the log as it is."""
        code, output = run("export", folder, url=self.url)
        assert code == 0, output

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """Yield a copy of the export for a while."""
        folder = self.folder / "copy"
        shutil.copytree(self.folder / "whole", folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def run(*argv: object, url: str = "") -> tuple[int, str]:
    """Run a command of the audit service."""
    done = CliRunner().invoke(app, list(map(str, argv)), env={"APP_DATABASE_URL": url})
    return done.exit_code, done.output


def some_records(rng: Random, count: int, offsets: Offsets) -> Iterator[Record]:
    """Yield records of three topics and two partitions, with gaps, null parts and values of random bytes."""
    for _ in range(count):
        place = topic, partition = rng.choice(TOPICS), rng.randrange(2)
        offset = offsets[place] = offsets.get(place, -1) + rng.choice((1, 1, 1, 3))
        record = a_fact(offset, topic=topic, partition=partition)
        match rng.randrange(8):
            case 0:
                record = a_fact(offset, topic=topic, partition=partition, value=None)
            case 1:
                record = a_fact(offset, topic=topic, partition=partition, key=None, headers=None)
            case 2 | 3:
                record = a_fact(offset, topic=topic, partition=partition, value=rng.randbytes(rng.randrange(1, 80)))
        yield record
