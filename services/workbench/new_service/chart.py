"""The Helm chart of a new service: audit's under another name, as any consumer with an API and a database needs it."""

import re
from pathlib import Path

from services.workbench.new_service.new_file import NewFile

ROOT = Path(__file__).parents[3]
MODEL = "audit"
UMBRELLA = Path("charts/eventline/charts")
GENERATED = ".schema.json"  # `python -m k8s.charts` writes it
DESCRIPTION = re.compile(r'^description: "([^"\n]+)"', re.MULTILINE)


def chart_files(name: str, description: str) -> list[NewFile]:
    """Return the files of a service's chart, and the link to it in the chart of the whole system."""
    folder = ROOT / "charts" / MODEL
    found = DESCRIPTION.search((folder / "Chart.yaml").read_text())
    if found is None:
        raise ValueError(f'{folder}/Chart.yaml has no line `description: "…"`: the new chart takes its place there')
    files = [NewFile(UMBRELLA / name, link=Path("../..") / name)]
    for path in sorted(folder.rglob("*")):
        place = Path("charts", name) / path.relative_to(folder)
        if path.is_symlink():
            files.append(NewFile(place, link=path.readlink()))
        elif path.is_file() and not path.name.endswith(GENERATED):
            text = path.read_text().replace(found[1], description).replace(MODEL, name)
            files.append(NewFile(place, text))
    return files
