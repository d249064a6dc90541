"""The look of lines: red is for faults alone, zeros are left out of stacks, equal lines can be distinguished."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from k8s.dashboards import series_names, style
from k8s.dashboards.board import Board, Row, json_of
from k8s.dashboards.documents import BOARDS
from k8s.dashboards.panel import Query, percentiles
from k8s.dashboards.panel_types import Series, Stat
from k8s.dashboards.shared_panels import DEAD_LETTERS, PARKED_KEYS, dead_letters_by_reason, parked_keys_by_service

Properties = Mapping[str, Any]
CALM, ALARMING = "gray", "red"
TOPICS = Query("sum by (messaging_destination_name) (x)", "{{messaging_destination_name}}")
SERIES = [
    pytest.param(panel, id=f"{board.uid}: {panel.title}")
    for board in BOARDS
    for panel in board.panels()
    if isinstance(panel, Series)
]
of_every_series = pytest.mark.parametrize("panel", SERIES)


def lines(*queries: Query, stacked: bool = False, steps: style.Steps = ()) -> Series:
    return Series(title="?", queries=queries, unit="short", normal=".", act=".", stacked=stacked, steps=steps)


def drawn(panel: Series | Stat) -> dict[str, Any]:
    """Return a panel as Grafana reads it."""
    board = Board(uid="test", title="A dashboard", question="?", rows=(Row("", (panel,)),))
    found: dict[str, Any] = json.loads(json_of(board))["panels"][0]
    return found


def look(panel: Series, name: str) -> Properties:
    """Return the overridden properties of a series: of two for the same property, Grafana takes the later."""
    return {
        each["id"]: each["value"]
        for rule in drawn(panel)["fieldConfig"]["overrides"]
        if re.search(rule["matcher"]["options"].strip("/"), name)
        for each in rule["properties"]
    }


def color(look_of_it: Properties, largest: float) -> str:
    """Return the colour of a series whose largest value is this one."""
    if look_of_it["color"]["mode"] == "fixed":
        return str(look_of_it["color"]["fixedColor"])
    assert look_of_it["color"] == {"mode": "thresholds", "seriesBy": "max"}
    steps = look_of_it["thresholds"]["steps"]
    return str([step["color"] for step in steps if step["value"] is None or largest >= step["value"]][-1])


@pytest.mark.parametrize("fault", ["user.dlq.v1", "notification.dlq.v1", "failed", "user /users/{user_id} 503"])
def test_a_fault_is_calm_at_zero_and_red_above(fault: str) -> None:
    found = look(lines(TOPICS, Query("x", "{{outcome}}"), Query("x", "{{job}} {{http_response_status_code}}")), fault)
    assert (color(found, 0), color(found, 0.001)) == (CALM, ALARMING)


def test_a_topic_without_faults_keeps_its_colour() -> None:
    assert color(look(lines(TOPICS), "user.events.v1"), 100) == "blue"


@of_every_series
def test_no_name_is_red_by_its_place_in_a_list(panel: Series) -> None:
    names = [name for query in panel.queries for name in series_names.names(query.legend)]
    assert {color(look(panel, name), 0) for name in names} & {"red", "dark-red", "light-red"} == set()


def test_a_panel_with_a_line_of_an_alert_has_no_other_at_zero() -> None:
    panel = lines(TOPICS, steps=style.above(60))
    assert "thresholds" not in look(panel, "user.dlq.v1")
    assert [step["value"] for step in drawn(panel)["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 60]


def test_every_line_is_red_above_zero_where_there_should_be_none() -> None:
    found = look(parked_keys_by_service(width=8), "notification")
    assert (color(found, 0), color(found, 1)) == (CALM, ALARMING)
    assert "thresholdsStyle" not in drawn(parked_keys_by_service(width=8))["fieldConfig"]["defaults"]["custom"]


@pytest.mark.parametrize("panel", [DEAD_LETTERS, PARKED_KEYS, dead_letters_by_reason(width=8)])
def test_a_number_of_dead_letters_or_parked_keys_is_green_at_zero_only(panel: Stat) -> None:
    steps = drawn(panel)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["color"] for step in steps] == ["green", "red"]
    assert 0 < steps[1]["value"] < 1


def test_a_stack_leaves_zeros_out_and_lines_do_not() -> None:
    sent = {stacked: drawn(lines(TOPICS, stacked=stacked))["targets"][0]["expr"] for stacked in (True, False)}
    assert sent == {True: f"({TOPICS.expression}) > 0", False: TOPICS.expression}


def test_equal_lines_show_through_the_gaps_of_those_drawn_later() -> None:
    panel = lines(Query("x", "{{job}}"), Query("x", "all"))
    dashes = [look(panel, name).get("custom.lineStyle", {}).get("dash") for name in (*series_names.JOBS, "all")]
    assert dashes == [None, [12, 8], [6, 6], [12, 8], [6, 6], [12, 8]], (
        "a later line without gaps hides those before it"
    )


def test_the_names_of_two_labels_are_in_the_order_in_which_prometheus_sorts_series() -> None:
    found = list(series_names.names("{{job}} {{client}}"))
    assert found.index("user consumer") < found.index("audit dead-letters") < found.index("user dead-letters")


def test_a_label_of_any_value_matches_all_and_alone_gives_no_name() -> None:
    assert "user GET .+" in series_names.names("{{job}} {{http_request_method}} {{http_route}}")
    assert list(series_names.names("{{persistentvolumeclaim}}")) == []


def test_percentiles_are_named_as_everywhere() -> None:
    assert percentiles("q{:g}".format, 0.5, 0.999) == (Query("q0.5", "p50"), Query("q0.999", "p99.9"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board.uid))
def test_no_percentile_has_another_name(board: Board) -> None:
    texts = [text for panel in board.panels() for text in (panel.title, *(query.legend for query in panel.queries))]
    assert [text for text in texts if re.search(r"\d %|median|half of", text)] == []
