"""The Helm chart of a new service: audit's under another name, as any consumer with an API and a database needs it."""

import re
from pathlib import Path

from services.workbench.local.system import ROOT
from services.workbench.new_service.new_file import NewFile

MODEL = "audit"
UMBRELLA = Path("charts/eventline/charts")
GENERATED = ".schema.json"  # `python -m k8s.charts` writes it
# Texts about the model alone: the description of Chart.yaml, the README from its title to the first command, and what
# NOTES.txt adds to the library's notes.
DESCRIPTION = re.compile(r'^description: "[^"\n]+"', re.MULTILINE)
NOTES = '{{ include "service.notes" . }}\n'
INTRODUCTION = re.compile(r"\A# .*?(?=```)", re.DOTALL)


def chart_files(name: str, description: str) -> list[NewFile]:
    """Return the files of a service's chart, and the link to it in the chart of the whole system."""
    folder = ROOT / "charts" / MODEL
    files = [NewFile(UMBRELLA / name, link=Path("../..") / name)]
    for path in sorted(folder.rglob("*")):
        place = Path("charts", name) / path.relative_to(folder)
        if path.is_symlink():
            files.append(NewFile(place, link=path.readlink()))
        elif path.is_file() and not path.name.endswith(GENERATED):
            files.append(NewFile(place, _renamed(path, name, description)))
    return files


def _renamed(path: Path, name: str, description: str) -> str:
    text = path.read_text()
    if path.name == "Chart.yaml":
        text = DESCRIPTION.sub(f'description: "{description}"', text)
    elif path.name == "README.md":
        text = INTRODUCTION.sub(f"# {name}\n{description}.\n\n", text)
    elif path.name == "NOTES.txt":
        text = NOTES
    return text.replace(MODEL, name)
