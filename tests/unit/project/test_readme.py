"""Checks the names, steps and commands of README.md, and the names in two pages of docs, against the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
LIFE = (ROOT / "docs/life-of-an-event.md").read_text()
LONGEST = 250  # lines
NAMED = re.compile(r"`([a-z_]+/[a-z_/]+\.py)`((?:,? `[A-Za-z_.]+`)*)")


def named() -> list[tuple[str, str]]:
    """Return every documented file under services with each name beside it, or with an empty name if it has none."""
    pages = README + LIFE + (ROOT / "docs/architecture.md").read_text()
    files = {
        (file, name) for file, names in NAMED.findall(pages) for name in re.findall(r"`([A-Za-z_.]+)`", names) or [""]
    }
    return sorted(files)


@pytest.mark.parametrize(("file", "name"), named())
def test_a_name_beside_a_file_is_defined_in_it(file: str, name: str) -> None:
    source = (ROOT / ("" if file.startswith(("services/", "examples/")) else "services") / file).read_text()
    for part in filter(None, name.split(".")):
        assert re.search(rf"(def|class) {part}\b|^{part}\b", source, re.MULTILINE), f"{file} defines no {part}"


def test_the_life_of_an_event_names_its_steps_in_order() -> None:
    life = LIFE[: LIFE.index("## From the terms")]
    steps = [int(number) for number in re.findall(r"^\| (\d+) \|", life, re.MULTILINE)]
    assert steps == list(range(1, 20))


def test_every_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z0-9-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target} does not exist"


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(README.splitlines()) <= LONGEST
