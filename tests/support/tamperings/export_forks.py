"""Forks as exports: everything is computed again in the database, exported, and shown with some checkpoint."""

import shutil
from collections.abc import Callable
from random import Random

from sqlalchemy import delete

from services.audit.export.layout import Layout
from services.audit.notary.checkpoint_store import checkpoints
from services.chassis.transparency.keys import Signer
from tests.support.signed_audit_log import LOG, OTHER
from tests.support.tamperings.database_tamperings import forged, read, resign, rewrite
from tests.support.tamperings.notes import NO_QUORUM, UNKNOWN
from tests.support.tamperings.sample_log import Expected, SampleLog

Tampering = Callable[[Random, SampleLog, Layout], Expected]
PARTS = ("public/tile", "records")


def a_fork_under_the_checkpoint(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    at = _forked(rng, sample, layout, LOG)
    size = next(size for size in sample.sizes if size > at)
    return Expected(4, rf"its first {size} entries have another root")


def a_fork_without_earlier_checkpoints(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    _forked(rng, sample, layout, LOG)
    layout.checkpoints.unlink()
    return Expected(4, rf"its first {sample.signed} entries have another root")


def a_fork_signed_without_the_key(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    _forked(rng, sample, layout, OTHER, "public/checkpoint", "checkpoints.jsonl")
    return UNKNOWN


def a_fork_signed_with_the_key(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    _forked(rng, sample, layout, LOG, "public/checkpoint", "checkpoints.jsonl")
    return NO_QUORUM


def cut_with_all_files(rng: Random, sample: SampleLog, layout: Layout) -> Expected:
    """Cut at a bundle's end where there is one: the names of its files are those of the whole log."""
    left = 256 if sample.signed > 256 else rng.randrange(1, sample.signed)
    with sample.changed() as connection:
        rewrite(connection, read(connection)[:left])
        connection.execute(delete(checkpoints))
        resign(connection, [left], LOG)
    _replace(sample, layout)
    return Expected(3, rf"it has {left if sample.signed > 256 else 0} entries, but its checkpoint covers")


def _forked(rng: Random, sample: SampleLog, layout: Layout, signer: Signer, *further: str) -> int:
    with sample.changed() as connection:
        found, at = forged(rng, read(connection), sample.sizes[1])
        rewrite(connection, (found + found[-1:] * 2)[: sample.signed] if len(found) < sample.signed else found)
        connection.execute(delete(checkpoints))
        resign(connection, sample.sizes, signer)
    _replace(sample, layout, *further)
    return at


def _replace(sample: SampleLog, layout: Layout, *further: str) -> None:
    other = sample.folder / "forged"
    try:
        sample.export(other)
        for name in (*PARTS, *further):
            target = layout.folder / name
            shutil.rmtree(target) if target.is_dir() else target.unlink()
            (other / name).rename(target)
    finally:
        shutil.rmtree(other, ignore_errors=True)
        sample.restore()


TAMPERINGS: tuple[Tampering, ...] = (
    a_fork_under_the_checkpoint, a_fork_without_earlier_checkpoints, a_fork_signed_without_the_key,
    a_fork_signed_with_the_key, cut_with_all_files,
)  # fmt: skip
