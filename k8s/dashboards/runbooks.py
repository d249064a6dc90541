"""The runbooks as a page beside the dashboards, so that a panel's link to one works in any Grafana."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs/runbooks"
UID = "eventline-runbooks"
FIRST = "README"
OTHER = re.compile(r"\]\((\w+)\.md\)")


def names() -> list[str]:
    """Return every runbook's name in the order of the page, what is common to all first."""
    return [FIRST, *sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != FIRST)]


def link(name: str) -> str:
    """Return where a runbook is shown alone; raises ValueError for one that is not there."""
    return f"/d/{UID}?viewPanel={names().index(name) + 1}"


def text(name: str) -> str:
    """Return what a runbook says, without its title, its links leading to others on the page."""
    _, _, body = (FOLDER / f"{name}.md").read_text().partition("\n")
    return OTHER.sub(lambda match: f"]({link(match[1])})", body).strip()
