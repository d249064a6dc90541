"""Tests each panel's queries on a real Prometheus, as Grafana sends them, with the system under load."""

import msgspec
import pytest

from k8s.dashboards.board import Board, Row
from k8s.dashboards.documents import BOARDS
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Series, Stat
from k8s.dashboards.promql import per, rate
from tests.dashboards.grafana import Span
from tests.dashboards.verdict import Verdict, looked_at
from tests.dashboards.watched import Watched

pytestmark = pytest.mark.dashboards

FINE = Stat(
    title="Commands", queries=(Query(per("", rate("event_store_appended_total"))),), unit="eps", normal=".", act="."
)
# Panels that the faults of the workload move.
PROVOKED = {
    "Services / Restarts",
    "Services / Which requests are refused or fail?",
    "Kafka / Dead letters",
    "Kafka / Parked keys",
    "Kafka / Oldest unread",
    "Kafka / How far behind is each group?",
    "Kafka / When did partitions move?",
    "Kafka / Which records became dead letters?",
    "Kafka / How many keys are parked?",
    "Kafka / How near are the ceilings?",
    "Reliability / Dead letters",
    "Reliability / Parked keys",
    "Reliability / What was recognised as a repeat?",
    "Reliability / Which records became dead letters?",
    "Reliability / How many keys are parked?",
    "Reliability / Which records are held, and why?",
    "Reliability / For how long has the oldest of them waited?",
    "Reliability / Which actions did operators take?",
    "Reliability / How long ago was the latest of each?",
    "Reliability / What did the latest of each apply to?",
    "Audit / Behind the end",
    "Audit / How old is the oldest record without an entry?",
}


def a_board(panel: Stat | Series) -> Board:
    return Board(uid="test", title="A dashboard", question="?", rows=(Row("", (panel,)),))


def test_every_panel_has_data_that_the_load_moves(verdicts: list[Verdict]) -> None:
    assert len(verdicts) == sum(1 for board in BOARDS for _ in board.panels())
    wrong = [complaint for verdict in verdicts for complaint in verdict.complaints]
    assert wrong == [], "\n" + "\n".join(wrong)


def test_what_goes_wrong_in_the_local_run_is_seen_where_zero_would_be_good(
    watched: Watched, verdicts: list[Verdict]
) -> None:
    if watched.system is None:
        pytest.skip("nothing is killed or parked in a system that others may use")
    moved = {f"{verdict.board} / {verdict.panel}".removeprefix("Eventline / ") for verdict in verdicts if verdict.moved}
    assert PROVOKED - moved == set()


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (per("", rate("event_store_apended_total")), "empty: no series"),
        ("sum(rate(event_store_appended_total[1m]", "error: bad_data"),
        ("0 * sum(up)", "stays zero"),
        ("sum(up) * NaN", "nothing but NaN"),
    ],
)
def test_a_panel_that_shows_nothing_is_named_with_its_query(
    expression: str, problem: str, watched: Watched, span: Span
) -> None:
    panel = msgspec.structs.replace(FINE, queries=(Query(expression),))
    (verdict,) = looked_at(a_board(panel), span, watched.prometheus)
    (complaint,) = verdict.complaints
    assert complaint.splitlines()[0] == "A dashboard / Commands"
    assert span.fill(expression, {"namespace": "x", "service": "x"}).split("{")[0] in complaint
    assert complaint.splitlines()[-1].strip().startswith(problem)


def test_a_panel_with_zero_is_fine_where_zero_is_good(watched: Watched, span: Span) -> None:
    panel = msgspec.structs.replace(FINE, queries=(Query("0 * sum(up)"),), good=Good.ZERO)
    (verdict,) = looked_at(a_board(panel), span, watched.prometheus)
    assert (verdict.complaints, verdict.has_data, verdict.moved) == ([], True, False)
