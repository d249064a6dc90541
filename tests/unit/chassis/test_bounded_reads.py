"""Readings of a scrape end within a time, and the processor time of their threads is counted."""

import threading
import time

import pytest

from services.chassis.telemetry.metrics import bounded_reads
from services.chassis.telemetry.metrics.bounded_reads import BoundedReads
from services.workbench.polling import until

PATIENCE_S = 10.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_reads, "READ_WITHIN_S", 0.05)
    monkeypatch.setattr(bounded_reads, "LATE_S", 0.01)


def test_a_reading_is_returned_and_an_error_is_raised() -> None:
    def refuse() -> int:
        raise ValueError("no table")

    reads = BoundedReads()
    assert reads(lambda: 7) == 7
    with pytest.raises(ValueError, match="no table"):
        reads(refuse)


def test_a_late_reading_is_not_started_twice_and_delays_the_others_once() -> None:
    go_on, calls = threading.Event(), []

    def slow() -> int:
        calls.append(1)
        assert go_on.wait(PATIENCE_S)
        return 7

    reads = BoundedReads()
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(TimeoutError):
            reads(slow)
    assert time.monotonic() - began < 20 * 0.05
    assert reads(lambda: 1) == 1
    assert len(calls) == 1
    go_on.set()
    assert until("the reading", lambda: reads(slow), passing=TimeoutError) == 7
