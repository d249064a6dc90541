"""No image has a file of the tests, and so none has a planted bug."""

import re

from tests.support.command_blocks import ROOT


def test_the_builder_is_sent_nothing_of_the_tests() -> None:
    lines = (ROOT / "services" / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not [
        rule
        for rule in rules
        if rule.startswith("!") and not re.fullmatch(r"!(pyproject.toml|requirements.lock|services)", rule)
    ]
    assert not (ROOT / "services" / "tests").exists()
