"""Checks what two revisions are compared by, and how the search for a maximum begins lower."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from services.contracts.service_list import SERVICES
from services.workbench.bench.outbox.published import their_drain_s
from services.workbench.bench.revisions.comparison import pairs
from services.workbench.bench.revisions.tree import Tree
from services.workbench.bench.revisions.visit import Visit, VisitError, lowered
from services.workbench.load.outcome import Outcome
from services.workbench.local.processes import Program
from tests.support.load_outcomes import an_outcome


def a_load(rate: float, mails: Mapping[int, float]) -> Outcome:
    cost = dict.fromkeys(SERVICES, 0.002)
    return msgspec.structs.replace(an_outcome(rate, rate), cpu_per_command=cost, mails=mails)


def a_visit(maximum: float, mails: Mapping[int, float]) -> Visit:
    return Visit(a_load(1, {}), dict.fromkeys(SERVICES, 0.01), maximum, a_load(70, mails))


def test_each_figure_of_two_visits_is_a_pair_in_its_unit() -> None:
    found = list(pairs("old", a_visit(100, {99: 2.0}), a_visit(250, {99: 0.5})))
    assert (found[0].its, found[0].own) == (100, 250)
    figures = {(one.unit, one.case): (one.its, one.own) for one in found}
    assert figures["ms of CPU a command", "audit, at 70% of its maximum rate"] == (2.0, 2.0)
    assert figures["ms, p99", "command to mail, at 70% of its maximum rate"] == (2000, 500)
    assert figures["ms, p50", "request to answer, at 1 request/s"] == (10, 10)
    assert figures["ms of CPU a minute", "user, idle"] == (600, 600)


def test_a_latency_that_a_short_load_does_not_have_is_left_out() -> None:
    found = pairs("old", a_visit(100, {}), a_visit(250, {99: 0.5}))
    assert not [one for one in found if one.case.startswith("command to mail")]


def found_from(first: float, limit: float) -> float:
    async def at(rate: float) -> Outcome:
        return an_outcome(rate, min(rate, limit))

    return asyncio.run(lowered(first, at))


def test_a_search_begins_lower_where_its_first_rate_is_not_kept() -> None:
    assert 80 <= found_from(first=400, limit=100) <= 103


def test_a_system_that_keeps_no_rate_is_an_error() -> None:
    with pytest.raises(VisitError, match="not even 12 requests/s were kept"):
        found_from(first=400, limit=1)


def test_a_program_runs_from_the_sources_of_its_revision() -> None:
    program = Program("user", (sys.executable, "-m", "services.user"), {"PYTHONPATH": "/here"}, Path("log"), str)
    found = Tree("old", Path("/old"), Path("/venv/python")).run(program)
    assert found.argv == ("/venv/python", "-m", "services.user")
    assert found.environment == {"PYTHONPATH": "/old", "PYTHONSAFEPATH": "1"}


def test_the_published_time_of_a_backlog_is_scaled_to_its_size() -> None:
    assert their_drain_s(70_000) == pytest.approx(40.5)
