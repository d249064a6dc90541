"""Every file under charts/ that is generated, as text by path."""

import json
from pathlib import Path

from k8s.charts.schema import schemas
from k8s.charts.settings import CHARTS, PROGRAMS, settings
from k8s.charts.tables import table

MARK = "<!-- From here on `python -m k8s.charts` writes. -->\n"


def documents() -> dict[Path, str]:
    """Return what the generated files must hold."""
    made = {CHARTS / chart / "values.schema.json": _json(schema) for chart, schema in schemas().items()}
    return made | {path: _readme(path) for path in CHARTS.glob("*/README.md") if MARK in path.read_text()}


def write() -> list[str]:
    """Write the files that have changed, and return their paths."""
    changed = [(path, text) for path, text in documents().items() if not path.exists() or path.read_text() != text]
    for path, text in changed:
        path.write_text(text)
    return [f"{path.relative_to(CHARTS.parent)}: written" for path, _ in changed]


def _readme(path: Path) -> str:
    chart = path.parent.name
    written = path.read_text().split(MARK)[0] + MARK
    written += "\n## Values\n" + table((path.parent / "values.yaml").read_text())
    return written + (_settings(chart) if chart in PROGRAMS else "")


def _settings(chart: str) -> str:
    rows = [f"| `settings.{one.value}` | `{one.variable}` | `{one.default}` |" for one in settings(chart)]
    head = "\n## Settings\nThe program's own, under `settings`; the default applies to a value that is not set.\n\n"
    return head + "\n".join(["| Value | Variable | Default |", "|---|---|---|", *rows]) + "\n"


def _json(content: object) -> str:
    return json.dumps(content, indent=2) + "\n"
