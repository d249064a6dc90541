"""Tests of the committed alert rules with promtool: each alert has cases that fire, clear and stay silent."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own

from k8s.alerts.__main__ import RULES
from k8s.alerts.rules import alerts
from tests.alerts import audit_cases, event_cases, infrastructure_cases, service_cases, slo_cases
from tests.alerts.case import Case, document

AREAS: dict[str, Sequence[Case]] = {
    "slos": slo_cases.cases(),
    "services": service_cases.CASES,
    "events": event_cases.CASES,
    "audit": audit_cases.CASES,
    "surroundings": infrastructure_cases.CASES,
}
BOOKS = RULES.parents[3] / "docs/runbooks"
PARTS = ("Symptom.", "Meaning.", "First three commands", "Fix.")
EVALUATED = {"slos": "5m"}  # theirs last for days
CASES = [case for cases in AREAS.values() for case in cases]


@pytest.mark.alerts
def test_the_rules_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


@pytest.mark.alerts
@pytest.mark.parametrize("area", AREAS)
def test_alerts_fire_clear_and_stay_silent_as_their_cases_report(area: str, tmp_path: Path) -> None:
    file = tmp_path / f"{area}.yml"
    file.write_text(
        yaml.safe_dump(document(RULES, AREAS[area], EVALUATED.get(area, "30s")), width=1000, sort_keys=False)
    )
    promtool("test", "rules", str(file))


@pytest.mark.parametrize(("name", "long"), sorted((one.name, one.labels.get("long", "")) for one in alerts()))
def test_every_alert_has_a_case_of_each_kind(name: str, long: str) -> None:
    mine = [case for case in CASES if (case.alert, case.long) == (name, long)]
    assert any(case.clears for case in mine), "no case fires and clears"
    assert any(not case.fires for case in mine), "no case must not fire"


def test_every_alert_has_a_runbook_with_symptom_meaning_commands_and_fix_and_none_is_left_over() -> None:
    runbooks = {one.runbook for one in alerts()}
    assert runbooks == {f"docs/runbooks/{path.name}" for path in BOOKS.glob("*.md")} - {"docs/runbooks/README.md"}
    for name in runbooks:
        text = (BOOKS.parents[1] / name).read_text()
        assert [part for part in PARTS if f"**{part}" not in text] == [], name
        commands = text.split("```")[1].strip().splitlines()[1:]
        assert len(commands) == 3, name


def test_a_link_between_runbooks_leads_somewhere() -> None:
    links = {
        (path.name, link) for path in BOOKS.glob("*.md") for link in re.findall(r"\]\(([^)]+)\)", path.read_text())
    }
    assert links
    assert [pair for pair in links if not (BOOKS / pair[1].partition("#")[0]).is_file()] == []


def promtool(*arguments: str) -> str:
    """Return the output of promtool; fail with it if promtool reports an error."""
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("promtool is not installed: it comes with Prometheus (https://prometheus.io/download)")
    done = subprocess.run((program, *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
