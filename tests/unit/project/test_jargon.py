"""Checks the word list of the project's prose: each pattern finds the private use and passes ordinary English."""

import pytest

from tests.support.jargon import check

PRIVATE = [
    ("a.md", "as it was\ntold.", 2),
    ("a.md", "The broker says no.", 1),
    ("a.md", "while the broker is away", 1),
    ("a.md", "A record is put\naside.", 1),
    ("a.yaml", "# made anew", 1),
    ("a.md", "It stands in the log.", 1),
    ("Makefile", "the knee of the load", 1),
    ("a.md", "until the broker's word arrives", 1),
    ("a.md", "Good. Who runs it does the rest.", 1),
    ("a.py", '"""Whether it runs."""\n', 1),
    ("a.py", "x = 1\n# nothing is said\n", 2),
    ("a.py", "told = 1\n", 1),
    ("a.yaml", 'description: "a tamper-proof log"', 1),
    ("a.md", "Anybody can check the chain.", 1),
    ("a.md", "services that share nothing\nbut Kafka topics", 1),
    ("a.py", "class Words: ...\n", 1),
    ("trouble.py", "x = 1\n", 1),
]
ORDINARY = [
    ("a.md", "It is sent right away, needless to say; remove it away from here, standby and standalone."),
    ("a.md", "Set MAX_RATE=1, which passes `--max-rate`. What does it do? It retries."),
    ("a.py", '"""Polls the broker."""\nvalue = 1  # the unit of the broker\n'),
]


@pytest.mark.parametrize(("path", "text", "line"), PRIVATE)
def test_private_use_is_found_at_its_line(path: str, text: str, line: int) -> None:
    assert line in [hit.line for hit in check(path, text)]


@pytest.mark.parametrize(("path", "text"), ORDINARY)
def test_ordinary_english_passes(path: str, text: str) -> None:
    assert check(path, text) == []
