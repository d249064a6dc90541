"""The dashboards' files: every board as the JSON that Grafana is provisioned with."""

from pathlib import Path

from k8s.dashboards import audit, flow, kafka, reliability, services
from k8s.dashboards.board import json_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "charts/observability/files/grafana/dashboards"
BOARDS = (flow.BOARD, services.BOARD, kafka.BOARD, reliability.BOARD, audit.BOARD)


def documents() -> dict[Path, str]:
    """Return what the folder must hold."""
    return {FOLDER / f"{board.uid}.json": json_of(board) for board in BOARDS}


def write() -> list[str]:
    """Write what has changed, remove dashboards that are gone, and say so by path."""
    texts = documents()
    left = [path for path in FOLDER.glob("*.json") if path not in texts]
    changed = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in left:
        path.unlink()
    for path in changed:
        path.write_text(texts[path])
    return [f"{path.relative_to(ROOT)}: written" for path in changed] + [f"{path.name}: removed" for path in left]
