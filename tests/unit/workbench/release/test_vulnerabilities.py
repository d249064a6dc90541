"""Reports of pip-audit: nothing found is a verdict only where something was looked up."""

import json

from services.workbench.release.vulnerabilities import judged

KNOWN = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": []}
REASON = "Dependency not found and could not be audited: b (2)"


def report(*packages: object) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


def test_a_package_that_nothing_is_known_against_was_checked() -> None:
    assert judged(report({"name": "a", "version": "1", "vulns": []}), "").text() == "0 known in 1 packages"


def test_what_is_known_is_named_with_its_fix() -> None:
    verdict = judged(report({"name": "a", "version": "1", "vulns": [KNOWN]}), "")
    assert verdict.text() == "1 known in 1 packages\n- a 1: PYSEC-2026-1, fixed in 1.1"


def test_packages_that_could_not_be_looked_up_are_counted() -> None:
    a, b = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": REASON}
    assert judged(report(a, b), "").text() == "0 known in 1 packages; 1 could not be looked up"


def test_without_a_single_answer_nothing_was_checked() -> None:
    assert judged(report({"name": "b", "skip_reason": REASON}), "").text() == f"not checked: {REASON}"


def test_a_failure_is_no_verdict() -> None:
    assert judged("", "warning\nERROR: no connection\n").text() == "not checked: ERROR: no connection"
    assert judged("", "").text() == "not checked: pip-audit printed nothing"
