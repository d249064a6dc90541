"""The commands that docs, runbooks and panels name: their programs know each subcommand and option. None is run."""

import importlib
import re
from collections.abc import Iterator, Sequence

import pytest
from typer.testing import CliRunner

from k8s.dashboards.documents import BOARDS
from services.contracts.service_list import LAG_EXPORTER, ROWS
from tests.support.jargon import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("charts/*/README.md"))]
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES} | {
    f"{board.uid}: {panel.title}": panel.description for board in BOARDS for panel in board.panels()
}
PROGRAMS = ("console", "workbench", "user", "notification", "audit", "witness")
COMMAND = re.compile(rf"(?<!from )services\.({'|'.join(PROGRAMS)})((?: (?!\.)[\w./:=-]+)*)")
TARGET = re.compile(r"(?:^|`|&& )make ([a-z][a-z0-9-]*)", re.MULTILINE)
WORKLOAD = re.compile(r"(deploy|statefulset)/eventline-([a-z]+)")
WORKLOADS = {("deploy", name) for name in (LAG_EXPORTER, *(row.name for row in ROWS))} | {
    ("statefulset", name) for name in ("kafka", "postgres")
}
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PROSE = {"sure", "sense"}  # words after the verb


def commands() -> Iterator[tuple[str, str, str]]:
    for place, text in TEXTS.items():
        for program, arguments in COMMAND.findall(text):
            yield place, program, arguments.rstrip(".:")


def problem(program: str, arguments: Sequence[str]) -> str:
    """Return what a program objects to; it prints its help, so it runs nothing."""
    app = importlib.import_module(f"services.{program}.__main__").app
    result = CliRunner().invoke(app, [*arguments, "--help"])
    return "" if result.exit_code == 0 else result.output


@pytest.mark.parametrize(("place", "program", "arguments"), sorted(set(commands())))
def test_a_program_knows_the_command_and_its_options(place: str, program: str, arguments: str) -> None:
    assert problem(program, arguments.split()) == "", f"{place} names a command that there is not"


@pytest.mark.parametrize("arguments", ["evets", "events --tpic x", "held lst"])
def test_a_misspelt_command_is_found(arguments: str) -> None:
    assert problem("console", arguments.split()) != ""


@pytest.mark.parametrize("place", sorted(TEXTS))
def test_a_named_make_target_and_workload_are_there(place: str) -> None:
    text = TEXTS[place]
    assert set(TARGET.findall(text)) - PROSE <= TARGETS
    assert set(WORKLOAD.findall(text)) <= WORKLOADS
