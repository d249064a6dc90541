"""The dashboards: what is committed is what the program says, and every panel tells a person what to make of it."""

import json
import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own

from k8s.alerts import rules
from k8s.dashboards import runbooks
from k8s.dashboards.board import Board
from k8s.dashboards.documents import BOARDS, FOLDER, documents
from k8s.dashboards.panel import Panel
from services.workbench.documents.metrics import every

of_every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board.uid))
PANELS = [pytest.param(panel, id=f"{board.uid}: {panel.title}") for board in BOARDS for panel in board.panels()]
of_every_panel = pytest.mark.parametrize("panel", PANELS)
COLUMNS = 24
CHARACTERS = 5.4  # of a title, per column
VARIABLE = re.compile(r"\$([a-z]\w*)")
OF_TARGETS = {"namespace", "job"}
# Metrics of a client library, Prometheus and the kubelet themselves.
OTHERS = (
    "up",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
)


def labels() -> dict[str, set[str]]:
    """Return the labels of every series that there is, by its name."""
    found: dict[str, set[str]] = {name: set() for name in OTHERS}
    found |= {rule["record"]: set() for rule in recorded()}
    for metric in every():
        own = set(metric.labels)
        found[metric.name] = own
        if metric.kind == "histogram":
            found |= {f"{metric.name}_{part}": own for part in ("sum", "count")}
            found[f"{metric.name}_bucket"] = own | {"le"}
    return found


def recorded() -> list[dict[str, str]]:
    groups = yaml.safe_load(rules.text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "record" in rule]


LABELS = labels()


@pytest.mark.parametrize(("path", "text"), [pytest.param(*pair, id=pair[0].name) for pair in documents().items()])
def test_a_committed_dashboard_is_as_the_program_writes_it(path: Path, text: str) -> None:
    assert path.exists(), f"{path} is not there: run make docs"
    assert path.read_text() == text, f"{path} differs from k8s/dashboards: run make docs"


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
def test_a_panel_reports_what_is_normal_and_what_to_do(panel: Panel) -> None:
    assert panel.normal.endswith(".")
    assert panel.act.endswith(".")


@of_every_panel
def test_a_rate_follows_the_interval_of_the_page(panel: Panel) -> None:
    windows = {window for query in panel.queries for window in re.findall(r"\}\[(.+?)\]", query.expression)}
    assert windows <= {"$__rate_interval", "$__range"}


@of_every_panel
def test_a_panel_asks_for_metrics_and_labels_that_are_declared(panel: Panel) -> None:
    for query in panel.queries:
        for name, matchers in re.findall(r"([a-z_][\w:]*)\{(.*?)\}", query.expression):
            assert name in LABELS, f"{name} is not declared in services/chassis/metrics, nor recorded by k8s/alerts"
            asked = set(re.findall(r"(\w+)[!=]~?", re.sub('".*?"', "", matchers)))
            assert asked <= LABELS[name] | OF_TARGETS, f"{name} has no label {asked - LABELS[name] - OF_TARGETS}"


@of_every_board
def test_an_expression_follows_no_variable_that_its_page_does_not_have(board: Board) -> None:
    asked = {name for panel in board.panels() for query in panel.queries for name in VARIABLE.findall(query.expression)}
    assert asked == {variable.name for variable in board.variables}


@of_every_panel
def test_a_panel_names_the_runbook_of_an_alert_that_there_is(panel: Panel) -> None:
    assert panel.runbook in {"", *(alert.name for alert in rules.alerts())}


@of_every_panel
def test_a_title_fits_at_1280_pixels(panel: Panel) -> None:
    assert len(panel.title) <= CHARACTERS * panel.width, "wider than the panel"


@pytest.mark.parametrize("name", runbooks.names())
def test_a_runbook_sends_nobody_to_a_panel_that_is_not_there(name: str) -> None:
    titles = {
        f"{board.title.removeprefix('Eventline / ')}: {panel.title}" for board in BOARDS for panel in board.panels()
    }
    named = re.findall(r"\*((?:Flow|Services|Kafka|Reliability|Audit): [^*]+)\*", runbooks.text(name))
    assert set(named) <= titles


def test_every_runbook_is_shown_by_its_link() -> None:
    page = json.loads((FOLDER / f"{runbooks.UID}.json").read_text())
    titles = {panel["id"]: panel["title"] for panel in page["panels"]}
    assert titles == {int(runbooks.link(name).rpartition("=")[2]): name for name in runbooks.names()}
