"""The dashboards' files: every board as the JSON that Grafana is provisioned with."""

from pathlib import Path

from k8s.dashboards import audit, flow, kafka, reliability, runbooks, services
from k8s.dashboards.board import Board, Row, json_of
from k8s.dashboards.panel_types import Note

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "charts/observability/files/grafana/dashboards"
BOARDS = (flow.BOARD, services.BOARD, kafka.BOARD, reliability.BOARD, audit.BOARD)


def documents() -> dict[Path, str]:
    """Return what the folder must hold."""
    return {FOLDER / f"{board.uid}.json": json_of(board) for board in (*BOARDS, _runbooks())}


def write() -> list[str]:
    """Write the dashboards that have changed, remove obsolete ones, and return their paths."""
    texts = documents()
    left = [path for path in FOLDER.glob("*.json") if path not in texts]
    changed = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in left:
        path.unlink()
    for path in changed:
        path.write_text(texts[path])
    return [f"{path.relative_to(ROOT)}: written" for path in changed] + [f"{path.name}: removed" for path in left]


def _runbooks() -> Board:
    notes = tuple(Note(title=name, content=runbooks.text(name), height=12) for name in runbooks.names())
    question = "An alert fires: what does it mean, and what is to be done?"
    return Board(
        uid=runbooks.UID, title="Eventline / Runbooks", question=question, rows=(Row("", notes),), variables=()
    )
