"""The report of what became of the commands."""

import msgspec

from services.workbench.demo.counting import Line
from services.workbench.faults.effects.report import Report

NOTHING_LOST = Line(kind="mails", place="all", expected=20, arrived=20, missing=0, repeated=0, unexpected=0)
REPORT = Report(
    system="make run",
    faults=["kill notification"],
    seconds=10.2,
    accepted=20,
    sent_again=0,
    unanswered=0,
    lines=[NOTHING_LOST],
    letters=0,
    expected_letters=0,
    delays={"answers": [0.1, 0.2, 0.1], "mails": [1.0, 12.34, 3.0]},
    settled_s=2.5,
    lag={"notification": 40},
)


def test_what_was_lost_repeated_and_delayed_is_reported() -> None:
    assert dict(REPORT.text()) == {
        "broken": "kill notification, for 10 s in make run",
        "commands": "20 accepted meanwhile",
        "lost": "nothing: 20 of 20 mails arrived",
        "repeated": "nothing",
        "delayed": "answers by up to 0.2 s (median 0.1 s), mails by up to 12.3 s (median 3.0 s); "
        "complete 2.5 s after the end",
        "most lag": "notification 40 records",
    }
    assert REPORT.is_right


def test_a_loss_is_named_with_its_place_and_is_not_right() -> None:
    lost = msgspec.structs.replace(NOTHING_LOST, arrived=18, missing=2, repeated=1)
    report = msgspec.structs.replace(REPORT, lines=[lost], sent_again=3, unanswered=1)
    text = dict(report.text())
    assert text["lost"] == "2 of 20 mails (all)"
    assert text["repeated"] == "1 mails (all)"
    assert "3 of them had to be sent again; 1 were never answered, so nothing is promised" in text["commands"]
    assert text["delayed"].endswith("; not complete 2.5 s after the end")
    assert "may still wait" in text["look at"]
    assert not report.is_right


def test_a_poison_record_without_its_dead_letter_is_not_right() -> None:
    report = msgspec.structs.replace(REPORT, letters=2, expected_letters=3)
    assert dict(report.text())["dead letters"] == "2 of 3 poison records are on a dead-letter topic"
    assert not report.is_right
