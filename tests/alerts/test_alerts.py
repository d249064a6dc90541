"""Tests that each fault fires its alerts, that they clear afterwards, and that Alertmanager sends mails."""

import msgspec
import pytest

from k8s.alerts.rules import alerts
from services.workbench.local.sink import Mail
from services.workbench.local.system import MAILS
from services.workbench.polling import until
from tests.alerts.conftest import ON_A_VOLUME, Result
from tests.alerts.faults import BY_PROMTOOL_ALONE, PHASES
from tests.alerts.scenario import Identity, expected
from tests.support.alertmanager import NEEDED, available

pytestmark = pytest.mark.alerts

FAULTS = [fault for phase in PHASES for fault in phase]
PROVOKED = sorted(alert for fault in FAULTS for alert in expected({**fault.raises, **fault.leaves}))
MAILED_WITHIN_S = 60.0


def test_every_alert_is_provoked_or_listed_as_tested_by_promtool_alone() -> None:
    assert {alert.name for alert in PROVOKED} | set(BY_PROMTOOL_ALONE) == {one.name for one in alerts()}
    assert len(PROVOKED) + len(BY_PROMTOOL_ALONE) == len(alerts())


def test_no_alert_fires_on_a_system_under_load_without_faults(scenario: Result) -> None:
    assert scenario.before == []


@pytest.mark.parametrize("alert", PROVOKED, ids=lambda alert: f"{alert.name}{alert.long}")
def test_an_alert_fires_and_clears(alert: Identity, scenario: Result) -> None:
    if alert.name == ON_A_VOLUME and alert not in scenario.outcomes:
        pytest.skip("a small volume cannot be mounted here: run as root, with the right to mount")
    outcome = scenario.outcomes[alert]
    assert outcome.fired_before == [], "it fired before the fault"
    assert outcome.fired_after is not None, "it never fired"
    assert outcome.cleared_after is not None, "it never cleared"


def test_a_fired_alert_arrives_as_a_mail_in_the_sink(scenario: Result) -> None:
    if not available():
        pytest.skip(NEEDED)
    mail = _await_mail(scenario, "[firing] ServiceDown notification (page)")
    assert "notification does not answer (firing since" in mail.body
    assert "What to do: docs/runbooks/ServiceDown.md" in mail.body
    _await_mail(scenario, "[resolved] ServiceDown notification (page)")


def test_the_mail_of_a_changed_audit_entry_arrives_and_names_its_runbook(scenario: Result) -> None:
    if not available():
        pytest.skip(NEEDED)
    mail = _await_mail(scenario, "[firing] AuditLogChanged audit (page)")
    assert "What to do: docs/runbooks/AuditLogChanged.md" in mail.body


def _await_mail(scenario: Result, subject: str) -> Mail:
    def alerts_by_mail() -> dict[str, Mail]:
        lines = (scenario.folder / MAILS).read_bytes().splitlines()
        mails = (msgspec.json.decode(line, type=Mail) for line in lines)
        return {mail.subject: mail for mail in mails if mail.subject.startswith("[")}

    try:
        return until(f"a mail {subject!r}", alerts_by_mail, lambda found: subject in found, MAILED_WITHIN_S)[subject]
    except TimeoutError as error:
        error.add_note((scenario.folder / "alertmanager.log").read_text()[-2000:])
        raise
