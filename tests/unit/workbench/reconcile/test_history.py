"""The file of a history: what is recorded is read again, and a line that is none is named."""

from pathlib import Path

import pytest

from services.workbench.reconcile.history import HistoryError, Operation, Result, read, recording

DONE = Operation(kind="register", command="c1", result=Result.OK, began=1.0, ended=2.0, user_id="u", version=1)
UNKNOWN = Operation(kind="rename", command="c2", result=Result.UNKNOWN, began=3.0, ended=4.0, error="TimeoutError()")


def test_what_is_recorded_is_read_again_also_after_another_run(tmp_path: Path) -> None:
    path = tmp_path / "history"
    for operation in (DONE, UNKNOWN):
        with recording(path) as recorder:
            assert recorder is not None
            recorder.add(operation)
    assert list(read(path)) == [DONE, UNKNOWN]


def test_a_line_that_is_no_operation_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history"
    with recording(path) as recorder:
        assert recorder is not None
        recorder.add(DONE)
    with path.open("a") as file:
        file.write('{"kind": "register"}\n')
    with pytest.raises(HistoryError, match=r"history:2 is no operation of a history: .*missing required field"):
        list(read(path))


def test_without_a_path_nothing_is_recorded() -> None:
    with recording(None) as recorder:
        assert recorder is None
