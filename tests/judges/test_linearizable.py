"""Porcupine, a checker of another maker: users are linearizable registers in a history, and each violation is found."""

from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import msgspec
import pytest

from services.workbench.reconcile.history import Operation, Result, recording
from tests.support.judge_programs import own_judge, run

pytestmark = pytest.mark.long


def operation(kind: str, version: int, began: float, **changed: Any) -> Operation:
    usual = Operation(
        kind=kind,
        command=f"{kind}-{began}",
        result=Result.OK,
        began=began,
        ended=began + 0.5,
        user_id="u",
        version=version,
    )
    return msgspec.structs.replace(usual, **changed)


def unanswered(kind: str, began: float, **changed: Any) -> Operation:
    return operation(kind, 0, began, result=Result.UNKNOWN, **changed)


WELL = [
    operation("register", 1, 1.0),
    operation("read", 1, 2.0),
    operation("rename", 2, 3.0),
    operation("read", 2, 4.0),
    operation("register", 1, 1.0, user_id="v", command="v"),
    operation("rename", 0, 5.0, result=Result.FAIL),
]


def judged(history: list[Operation], folder: Path) -> CompletedProcess[str]:
    path = folder / "history"
    with recording(path) as recorder:
        assert recorder is not None
        for one in history:
            recorder.add(one)
    return run(own_judge("linearizable"), path, folder / "picture.html")


@pytest.mark.parametrize(
    "more",
    [
        [],
        [operation("rename", 3, 5.0, ended=9.0), operation("read", 2, 6.0), operation("read", 3, 7.0)],  # overlapping
        [unanswered("rename", 5.0), operation("read", 3, 7.0), operation("read", 3, 8.0)],  # carried out
        [unanswered("rename", 5.0), operation("read", 2, 7.0)],  # not carried out
        [unanswered("rename", 5.0, command="c"), operation("rename", 3, 6.0, command="c"), operation("read", 3, 5.2)],
        [unanswered("read", 5.0)],
    ],
)
def test_a_linearizable_history_passes(more: list[Operation], tmp_path: Path) -> None:
    done = judged(WELL + more, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("of 2 users: Ok\n")


@pytest.mark.parametrize(
    "more",
    [
        [operation("read", 1, 5.0)],  # stale
        [operation("read", 3, 5.0)],  # of nobody's write
        [operation("rename", 4, 5.0)],  # a version is missing
        [operation("rename", 3, 5.0), operation("rename", 3, 5.1, command="twice"), operation("read", 2, 7.0)],
        [unanswered("rename", 5.0), operation("read", 3, 6.0), operation("read", 2, 7.0)],  # carried out and undone
        [operation("read", 0, 5.0, user_id="v")],
    ],
)
def test_a_violation_is_found_and_drawn(more: list[Operation], tmp_path: Path) -> None:
    done = judged(WELL + more, tmp_path)
    assert (done.returncode, done.stdout.endswith("of 2 users: Illegal\n")) == (1, True), done.stdout + done.stderr
    assert "<svg" in (tmp_path / "picture.html").read_text()
