"""tessera's fsck and torchwood's client accept our export of an audit log, and refuse a sample of its tamperings."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.audit.export.layout import Layout
from services.chassis.database.database import Database
from tests.support.audit_log import ORIGIN
from tests.support.judge_programs import own_judge
from tests.support.signed_audit_log import LOG
from tests.support.tamperings import export_forks, export_tamperings
from tests.support.tamperings.sample_log import SampleLog

pytestmark = pytest.mark.long
SIGNED, RUN_S = 300, 120
# Changes of the part that others read. Not one entry or hash too many: fsck accepts it, torchwood does not.
SEEN_BY_BOTH = (
    export_tamperings.a_bit_of_a_bundle_or_leaf_tile,
    export_tamperings.a_bit_of_an_upper_tile,
    export_tamperings.a_file_removed,
    export_tamperings.two_swapped,
    export_tamperings.a_file_cut,
    export_tamperings.record_leaf_bundle_and_tile,
    export_tamperings.no_checkpoint,
    export_forks.a_fork_under_the_checkpoint,
    export_forks.a_fork_signed_without_the_key,
)
SEEN_BY_TORCHWOOD = (export_tamperings.one_too_many, export_forks.a_fork_signed_with_the_key)
SEEDS = 2


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleLog]:
    folder = tmp_path_factory.mktemp("log")
    url = f"sqlite:///{folder}/audit.db"
    found = SampleLog(folder, Database(url), url, SIGNED, 2)
    yield found
    found.database.close()


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=RUN_S, check=False)


def fsck(export: Path) -> subprocess.CompletedProcess[str]:
    return run(own_judge("fsckexit"), export / "public", ORIGIN, LOG.vkey)


def all_entries(export: Path, sample: SampleLog) -> subprocess.CompletedProcess[str]:
    return run(own_judge("allentries"), export / "public", sample.policy)


def test_fsck_and_torchwood_call_the_export_whole(sample: SampleLog) -> None:
    checked = fsck(sample.folder / "whole")
    assert (checked.returncode, checked.stdout) == (0, "whole\n"), checked.stderr
    counted = all_entries(sample.folder / "whole", sample)
    assert (counted.returncode, counted.stdout) == (0, f"{SIGNED}\n"), counted.stderr


@pytest.mark.parametrize("tampering", SEEN_BY_BOTH, ids=lambda tampering: tampering.__name__)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_refuse_a_tampering(tampering: Any, seed: int, sample: SampleLog) -> None:
    with sample.copied() as folder:
        tampering(Random(seed), sample, Layout(folder))
        assert (fsck(folder).returncode, all_entries(folder, sample).returncode) == (1, 1)


@pytest.mark.parametrize("tampering", SEEN_BY_TORCHWOOD, ids=lambda tampering: tampering.__name__)
def test_torchwood_refuses_what_fsck_does_not_look_at(tampering: Any, sample: SampleLog) -> None:
    with sample.copied() as folder:
        tampering(Random(1), sample, Layout(folder))
        assert (fsck(folder).returncode, all_entries(folder, sample).returncode) == (0, 1)
