"""A small backlog, as a person lets it be consumed."""

from pathlib import Path

import pytest

from tests.support.console_process import console, own_settings

pytestmark = pytest.mark.long


def test_a_backlog_is_consumed_to_its_end(tmp_path: Path) -> None:
    code, output = console(own_settings(tmp_path), "backlog", "--records", "2000")
    assert code == 0, output
    assert "wrote 2,000 records" in output
    assert ", 0 records are left" in output
    assert "audit: at most " in output
