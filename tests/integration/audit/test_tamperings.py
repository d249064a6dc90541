"""A thousand tamperings, from seeds: each is found, by the rule that should find it; untouched logs are whole."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from services.audit import store_check
from services.audit.export import export_check, writer
from services.audit.export.layout import Layout
from services.audit.settings import StoreSettings
from services.chassis.database.database import Database
from services.chassis.transparency.policy import Policy
from services.workbench.local import postgres
from tests.support.audit_log import ORIGIN, open_log
from tests.support.signed_audit_log import POLICY, append
from tests.support.tamperings import database_tamperings, export_forks, export_tamperings
from tests.support.tamperings.database_tamperings import Tampering
from tests.support.tamperings.sample_log import SampleLog, some_records

pytestmark = pytest.mark.long
SIZES = ((12, 1), (40, 0), (110, 3), (300, 2))  # entries that are signed, and that are not yet
SEEDS, SEEDS_POSTGRESQL = 21, 2  # of each kind
EXPORT = (*export_tamperings.TAMPERINGS, *export_forks.TAMPERINGS)
CLEAN_LOGS, CLEAN_SIZES = 25, 20


class Silent(Console):
    """A terminal without output: to draw the tables costs half as much as to verify such small logs."""

    def print(self, *_: Any, **__: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[SampleLog]]:
    """Logs of several sizes in SQLite."""
    found = []
    for signed, tail in SIZES:
        folder = tmp_path_factory.mktemp("log")
        url = f"sqlite:///{folder}/audit.db"
        found.append(SampleLog(folder, Database(url), url, signed, tail))
    yield found
    for sample in found:
        sample.database.close()


@pytest.fixture(scope="module")
def in_postgresql(postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleLog]:
    """A log of a full tile and some in PostgreSQL."""
    url = postgres_server.fresh_url()
    sample = SampleLog(tmp_path_factory.mktemp("log"), Database(url), url, 300, 2)
    yield sample
    sample.database.close()


def find(tampering: Tampering, sample: SampleLog, seed: int) -> None:
    """Tamper with the database, and have the change found."""
    with sample.changed() as connection:
        expected = tampering(Random(seed), sample, connection)
    try:
        expected.check(*sample.verified())
    finally:
        sample.restore()


def named(tampering: Any) -> str:
    return str(tampering.__name__)


@pytest.mark.parametrize("tampering", database_tamperings.TAMPERINGS, ids=named)
def test_a_tampering_of_the_database_is_found(tampering: Tampering, samples: list[SampleLog]) -> None:
    for seed in range(SEEDS):
        find(tampering, samples[seed % len(samples)], seed)
    assert samples[0].verified()[0] == 0


@pytest.mark.parametrize("tampering", database_tamperings.TAMPERINGS, ids=named)
def test_a_tampering_of_postgresql_is_found(tampering: Tampering, in_postgresql: SampleLog) -> None:
    for seed in range(SEEDS_POSTGRESQL):
        find(tampering, in_postgresql, seed)
    assert in_postgresql.verified()[0] == 0


@pytest.mark.parametrize("tampering", EXPORT, ids=named)
def test_a_tampering_of_an_export_is_found(tampering: export_tamperings.Tampering, samples: list[SampleLog]) -> None:
    for seed in range(SEEDS):
        sample = samples[seed % len(samples)]
        with sample.copied() as folder:
            expected = tampering(Random(seed), sample, Layout(folder))
            expected.check(*sample.verified_export(folder))
    assert samples[0].verified_export(samples[0].folder / "whole")[0] == 0


def test_there_are_a_thousand_tamperings() -> None:
    per_kind = SEEDS + SEEDS_POSTGRESQL
    assert len(database_tamperings.TAMPERINGS) * per_kind + len(EXPORT) * SEEDS >= 1000


@pytest.mark.parametrize("seed", range(CLEAN_LOGS))
def test_untouched_logs_and_their_exports_are_whole(seed: int, tmp_path: Path) -> None:
    """25 logs with random records, at 20 sizes each, in the database and exported: a thousand."""
    url, rng = f"sqlite:///{tmp_path}/audit.db", Random(1000 + seed)
    settings, output = StoreSettings(database_url=url), Silent()
    policy, database, offsets = Policy.parse(POLICY), Database(url), dict[tuple[str, int], int]()
    open_log(database)
    for _ in range(CLEAN_SIZES):
        append(database, list(some_records(rng, rng.randrange(1, 6), offsets)))
        store_check.verify(settings, output, policy)
        with database.snapshot() as connection:
            writer.write(connection, Layout(tmp_path / "out"), ORIGIN, output)
        export_check.verify(tmp_path / "out", output, policy)
    database.close()
