"""Checks the memory and CPU use of processes."""

import os
import sys

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from services.chassis.telemetry.metrics import Metrics
from services.workbench.scrape import sums
from services.workbench.usage import MIB, Usage, in_words, of_metrics, of_process, too_large


def a_usage(mebibytes: int) -> Usage:
    return Usage(resident=mebibytes * MIB, peak=mebibytes * MIB, cpu_seconds=1.0)


def test_a_service_over_the_bound_is_named_with_both_sizes() -> None:
    used = {"user": a_usage(200), "audit": a_usage(201)}
    assert too_large(used) == ["audit holds 201 MiB, more than 200 MiB"]
    assert in_words(used) == "user 200 MiB, audit 201 MiB"


def test_what_cannot_be_known_is_reported_so() -> None:
    assert in_words({}) == "not known here"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_memory_and_time_of_a_process_of_this_machine_are_known() -> None:
    used = of_process(os.getpid())
    assert used is not None
    assert MIB < used.resident <= used.peak
    assert 0 < used.cpu_seconds <= sum(os.times()[:2]) + 0.1


def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    assert of_process(2**22 + 1) is None  # beyond the largest process id


def test_of_a_process_elsewhere_its_metrics_report_it() -> None:
    text = "process_resident_memory_bytes 1048576\nprocess_cpu_seconds_total 2.5\n"
    assert of_metrics(sums(text)) == Usage(MIB, MIB, 2.5)


@pytest.mark.skipif(sys.platform != "linux", reason="the client reads /proc")
def test_every_service_reports_what_its_process_uses() -> None:
    used = of_metrics(sums(generate_latest(Metrics("test", "1").registry).decode()))
    assert used.resident > MIB
    assert used.cpu_seconds > 0


def test_a_metric_is_summed_over_its_labels() -> None:
    registry = CollectorRegistry()
    sent = Counter("sent_total", "Sent.", ("topic",), registry=registry)
    sent.labels("a").inc(2)
    sent.labels("b").inc(3)
    found = sums(generate_latest(registry).decode())
    assert (found["sent_total"], found["absent"]) == (5, 0)
