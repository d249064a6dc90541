"""The commands of docs/runbooks: those of Kubernetes as they are written, and their translation for docker compose."""

import re
from collections.abc import Mapping
from pathlib import Path

from services.contracts.service_list import SERVICES

FOLDER = Path(__file__).parents[2] / "docs/runbooks"
COMMAND = re.compile(r"^(kubectl .*)$|`(kubectl [^`]*)`", re.MULTILINE)
ROW = re.compile(r"^\| `([^`…]*)[^`]*` \| `([^`…]*)", re.MULTILINE)  # up to what differs in each command


def command(name: str, part: str, values: Mapping[str, str]) -> str:
    """Return the one command of a runbook that contains `part`, with values for its placeholders."""
    found: list[str] = [block or inline for block, inline in COMMAND.findall((FOLDER / f"{name}.md").read_text())]
    (text,) = [one for one in found if part in one]
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def for_compose(commands: str) -> str:
    """Return commands as the table in the runbooks' README writes them for docker compose."""
    for kubernetes, compose in ROW.findall((FOLDER / "README.md").read_text()):
        for job in SERVICES:
            commands = commands.replace(kubernetes.replace("JOB", job), compose.replace("JOB", job))
    return commands
