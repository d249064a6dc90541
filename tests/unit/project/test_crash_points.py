"""Compares the durable steps of the code with the crash points, and the points with docs/reliability.md."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.crash.points import ELSEWHERE, POINTS, rows
from tests.support.crash.steps import COMMIT, FILE, MAIL, OFFSETS, PUBLISH, found, steps_of

ROOT = Path(__file__).parents[3]
SWEPT, OTHERS = {point.step for point in POINTS}, Counter(one.step for one in ELSEWHERE)


def test_every_durable_step_has_a_crash_point_or_a_reason() -> None:
    missing = [f"{one.place}: {one.name} ({one.kind})" for one in found() if one.name not in SWEPT | {*OTHERS}]
    assert missing == [], "add each to POINTS of tests/support/crash/points.py"


def test_every_point_is_a_durable_step() -> None:
    assert SWEPT | {*OTHERS} <= {one.name for one in found()}


def test_no_step_is_listed_twice() -> None:
    assert {*OTHERS} & SWEPT == set()
    assert [step for step, number in OTHERS.items() if number > 1] == []
    assert len({(one.step, one.program, one.reach) for one in POINTS}) == len(POINTS)


@pytest.mark.parametrize("path", sorted({one.test for one in ELSEWHERE if one.test}))
def test_a_test_that_is_named_instead_kills_a_process(path: str) -> None:
    assert any(word in (ROOT / path).read_text() for word in ("KILLED", "SIGKILL"))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("with database.write() as connection: pass", COMMIT),
        ("with a, self._outbox.leases.writing(lease, cursor=1) as connection: pass", COMMIT),
        ("with database.write() if yes else database.read() as connection: pass", COMMIT),
        ("with engine.begin() as connection: pass", COMMIT),
        ("connection.commit()", COMMIT),
        ("metadata.create_all(database.engine)", COMMIT),
        ("self._producer.publish([record])", PUBLISH),
        ("client.produce(topic)", PUBLISH),
        ("client.commit(offsets=places, asynchronous=True)", OFFSETS),
        ("smtp.sendmail(a, b, content)", MAIL),
        ("import smtplib\nsmtp.send(content)", MAIL),
        ("os.fsync(file)", FILE),
        ("os.replace(old, new)", FILE),
        ("old.replace(new)", FILE),
        ("old.rename(new)", FILE),
        ("file.write(content)", None),
        ("text.replace('a', 'b')", None),
        ("msgspec.structs.replace(value, name=1)", None),
        ("metadata.create_all(connection)", None),
    ],
)
def test_every_form_of_a_durable_step_is_found(line: str, kind: str | None) -> None:
    body = "".join(f"    {one}\n" for one in line.splitlines())
    steps = steps_of(f"class Class:\n  def method(self):\n{body}", "services/user/module.py")
    assert [(one.name, one.kind) for one in steps] == ([("services.user.module:Class.method", kind)] if kind else [])


def test_the_page_has_the_table_of_the_points() -> None:
    assert "".join(rows()) in (ROOT / "docs/reliability.md").read_text()
