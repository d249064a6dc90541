"""A short campaign as a person plays it: its faults are caused, nothing is found, and the report is written."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from services.workbench.reconcile.history import Result, read
from tests.support.command_blocks import ROOT, blocks_for, execute
from tests.support.console_process import own_settings
from tests.support.judge_programs import own_judge, run

pytestmark = pytest.mark.long


def test_a_campaign_breaks_the_system_and_finds_no_anomaly(tmp_path: Path) -> None:
    (block,) = blocks_for(__file__)
    (tmp_path / ".eventline").symlink_to(ROOT / ".eventline")
    code, output = execute(block.text, own_settings(tmp_path) | {"PYTHONPATH": str(ROOT)}, tmp_path)
    assert code == 0, output
    assert "seed 3: 20 requests a second for 20 s on a system on this machine, 3 faults" in output
    page = (tmp_path / "chaos" / "report.md").read_text()
    faults = r"^\| \d+ s \| (?:kill|pause|slow|stall|fill|write-protect|cut|shift) \w+ \| [\d.]+ s \|$"
    assert len(re.findall(faults, page, re.MULTILINE)) == 3, page
    assert ET.parse(tmp_path / "chaos" / "report.svg").getroot().tag.endswith("svg")  # noqa: S314  # made here
    operations = list(read(tmp_path / "chaos" / "history.jsonl"))
    assert sum(one.result is Result.OK for one in operations) >= 600
    done = run(own_judge("linearizable"), tmp_path / "chaos" / "history.jsonl", tmp_path / "picture.html")
    assert done.returncode == 0, done.stdout + done.stderr
