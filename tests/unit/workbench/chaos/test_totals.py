"""The totals of a campaign: every check is in one group, and mails may repeat as often as faults explain."""

from services.workbench.chaos.campaign import Broken
from services.workbench.chaos.totals import GROUPS, SEND_WINDOW, by_group, mail_repeats
from services.workbench.reconcile.checks import CHECKS, Checked
from services.workbench.reconcile.evidence import Mail
from services.workbench.reconcile.finding import Finding

MAILS = [Mail(name, "c", ["ada@example.org"]) for name in ("<1>", "<2>", "<1>")]


def test_each_check_is_in_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(check.name for check in CHECKS)


def test_findings_are_added_up_by_group_and_a_check_that_was_not_made_adds_none() -> None:
    found = {"poll skip": [Finding("a")], "unseen": [Finding("b"), Finding("c")], "duplicate": [Finding("d")]}
    totals = by_group([Checked(check, found.get(check.name)) for check in CHECKS])
    assert totals == {"lost": 3, "invented": 0, "out of order": 0, "repeated effects": 1, "other differences": 0}


def test_a_fault_of_the_sender_its_database_or_the_mail_server_explains_a_claim_of_repeats() -> None:
    faults = [Broken(name, 0.0, 1.0) for name in ("kill notification", "stall mail", "pause database", "kill audit")]
    assert mail_repeats(MAILS, faults).bound == 3 * SEND_WINDOW
    assert mail_repeats(MAILS, faults).is_explained


def test_a_repeat_without_such_a_fault_is_not_explained() -> None:
    repeats = mail_repeats(MAILS, [Broken("kill user", 0.0, 1.0)])
    assert (repeats.found, repeats.bound, repeats.is_explained) == (1, 0, False)
