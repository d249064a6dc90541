"""The dashboards: what is committed is what the program says, and every panel tells a person what to make of it."""

import json
import re
from pathlib import Path

import pytest

from k8s.dashboards.board import Board
from k8s.dashboards.documents import BOARDS, FOLDER, documents
from k8s.dashboards.panel import Panel

of_every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board.uid))
PANELS = [pytest.param(panel, id=f"{board.uid}: {panel.title}") for board in BOARDS for panel in board.panels()]
of_every_panel = pytest.mark.parametrize("panel", PANELS)
COLUMNS = 24


@pytest.mark.parametrize(("path", "text"), [pytest.param(*pair, id=pair[0].name) for pair in documents().items()])
def test_a_committed_dashboard_is_as_the_program_writes_it(path: Path, text: str) -> None:
    assert path.exists(), f"{path} is not there: run make docs"
    assert path.read_text() == text, f"{path} is not what k8s/dashboards says: run make docs"


def test_no_dashboard_is_left_that_nothing_writes() -> None:
    assert set(FOLDER.glob("*.json")) == set(documents())


@of_every_board
def test_a_dashboard_follows_its_data_source_and_is_linked_with_the_others(board: Board) -> None:
    dashboard = json.loads((FOLDER / f"{board.uid}.json").read_text())
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    assert [link["tags"] for link in dashboard["links"]] == [dashboard["tags"]]
    sources = {panel["datasource"]["uid"] for panel in dashboard["panels"] if "targets" in panel}
    assert sources == {"${datasource}"}


@of_every_board
def test_no_panel_lies_on_another_or_outside(board: Board) -> None:
    places = [panel["gridPos"] for panel in json.loads((FOLDER / f"{board.uid}.json").read_text())["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < COLUMNS


@of_every_panel
def test_a_panel_says_what_is_normal_and_what_to_do(panel: Panel) -> None:
    assert panel.normal.endswith(".")
    assert panel.act.endswith(".")


@of_every_panel
def test_a_rate_follows_the_interval_of_the_page(panel: Panel) -> None:
    windows = {window for query in panel.queries for window in re.findall(r"\}\[(.+?)\]", query.expression)}
    assert windows <= {"$__rate_interval", "$__range"}
