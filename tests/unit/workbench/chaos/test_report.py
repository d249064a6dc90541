"""The report of a campaign: its page, and its picture as XML that can be read."""

from xml.etree import ElementTree as ET

from services.workbench.chaos.campaign import Broken, Played, Second
from services.workbench.chaos.report import Facts, markdown, svg
from services.workbench.chaos.totals import MailRepeats
from services.workbench.reconcile.checks import CHECKS, Checked
from services.workbench.reconcile.finding import Finding

PLAYED = Played(
    commands=70,
    unknown=2,
    requests=100,
    faults=[Broken("kill user", 1.0, 2.5)],
    seconds=[Second(50, 0, 3), Second(0, 10, 90), Second(40, 0, 0)],
)
SPACE = "{http://www.w3.org/2000/svg}"


def test_the_page_has_the_seed_the_faults_and_each_check() -> None:
    outcome = [Checked(check, None) for check in CHECKS[:-1]] + [Checked(CHECKS[-1], [Finding("a"), Finding("b")])]
    page = markdown(
        Facts("compose", 7, "make chaos SEED=7", 12.4, MailRepeats(3, 20)), PLAYED, outcome, "p.svg"
    ).splitlines()
    assert page[0] == "# Campaign with seed 7"
    for row in (
        "commands | 70",
        "commands without an answer | 2",
        "faults | 1",
        "lost | 0",
        "repeated mails | 3 (at most 20)",
    ):
        assert f"| {row} |" in page
    assert "| 1 s | kill user | 1.5 s |" in page
    assert f"| {CHECKS[0].name} | not checked | {CHECKS[0].allowed} |" in page
    assert f"| {CHECKS[-1].name} | 2 | {CHECKS[-1].allowed} |" in page


def test_the_picture_has_a_point_for_each_second_and_a_shade_for_each_fault() -> None:
    picture = ET.fromstring(svg(PLAYED))  # noqa: S314  # made here
    assert [len(line.attrib["points"].split()) for line in picture.iter(f"{SPACE}polyline")] == [3, 3, 3]
    (shade,) = [one for one in picture.iter(f"{SPACE}rect") if "fill-opacity" in one.attrib]
    assert (float(shade.attrib["x"]), float(shade.attrib["width"])) == (60 + 320.0, 480.0)
    assert "kill user" in {one.text for one in picture.iter(f"{SPACE}text")}
