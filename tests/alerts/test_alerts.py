"""Every alert fires when what it is about happens, and clears when it is over; a mail says so."""

import msgspec
import pytest

from k8s.alerts.rules import alerts
from services.workbench.local.sink import Mail
from services.workbench.local.system import MAILS
from services.workbench.polling import until
from tests.alerts.conftest import ON_A_VOLUME, Ordeal
from tests.alerts.deeds import BY_PROMTOOL_ALONE, PHASES
from tests.alerts.ordeal import Told, expected
from tests.support.alertmanager import NEEDED, available

pytestmark = pytest.mark.alerts

DEEDS = [deed for phase in PHASES for deed in phase]
PROVOKED = sorted(told for deed in DEEDS for told in expected({**deed.raises, **deed.leaves}))
MAILED_WITHIN_S = 60.0


def test_every_alert_is_provoked_or_said_to_be_beyond_this_machine() -> None:
    assert {told.name for told in PROVOKED} | set(BY_PROMTOOL_ALONE) == {one.name for one in alerts()}
    assert len(PROVOKED) + len(BY_PROMTOOL_ALONE) == len(alerts())


def test_nothing_is_told_of_a_system_under_load_to_which_nothing_happens(ordeal: Ordeal) -> None:
    assert ordeal.before == []


@pytest.mark.parametrize("told", PROVOKED, ids=lambda told: f"{told.name}{told.long}")
def test_an_alert_fires_and_clears(told: Told, ordeal: Ordeal) -> None:
    if told.name == ON_A_VOLUME and told not in ordeal.outcomes:
        pytest.skip("a small volume cannot be mounted here: run as root, with the right to mount")
    outcome = ordeal.outcomes[told]
    assert not outcome.fired_before, "it was told before its reason"
    assert outcome.fired_after is not None, "it was never told"
    assert outcome.cleared_after is not None, "it never cleared"


def test_a_fired_alert_arrives_as_a_mail_in_the_sink(ordeal: Ordeal) -> None:
    if not available():
        pytest.skip(NEEDED)
    mail = _await_mail(ordeal, "[firing] ServiceDown notification (page)")
    assert "notification does not answer (firing since" in mail.body
    assert "What to do: docs/runbooks/ServiceDown.md" in mail.body
    _await_mail(ordeal, "[resolved] ServiceDown notification (page)")


def _await_mail(ordeal: Ordeal, subject: str) -> Mail:
    def alerts_by_mail() -> dict[str, Mail]:
        lines = (ordeal.folder / MAILS).read_bytes().splitlines()
        mails = (msgspec.json.decode(line, type=Mail) for line in lines)
        return {mail.subject: mail for mail in mails if mail.subject.startswith("[")}

    try:
        return until(f"a mail {subject!r}", alerts_by_mail, lambda found: subject in found, MAILED_WITHIN_S)[subject]
    except TimeoutError as error:
        error.add_note((ordeal.folder / "alertmanager.log").read_text()[-2000:])
        raise
