"""/metrics of a running system: every declared metric, of the declared services, in a valid form."""

import shutil
import subprocess
from operator import not_

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

from services.contracts.service_list import JOBS
from services.workbench.documents.metrics import every
from services.workbench.local.measured_system import Running
from services.workbench.polling import until
from tests.metrics.exported import missing, names_of, undeclared

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
MOST_SAMPLES = 700
of_every_job = pytest.mark.parametrize("job", JOBS)


@of_every_job
def test_a_service_has_every_metric_that_is_declared_for_it_and_no_other(system: Running, job: str) -> None:
    until("every metric", lambda: missing(system, job), not_)
    assert undeclared(system, job) == []


@of_every_job
def test_the_labels_of_a_series_are_those_that_are_declared(system: Running, job: str) -> None:
    labels = {name: set(one.labels) for one in every() for name in names_of(one)}
    samples = [sample for sample in system.samples(job) if sample.name in labels]
    assert samples
    assert [sample for sample in samples if set(sample.labels) - {"le"} != labels[sample.name]] == []


@of_every_job
def test_promtool_has_nothing_to_report(system: Running, job: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH: it comes with Prometheus")
    text = system.text(job)
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@of_every_job
def test_open_metrics_are_given_to_those_who_ask(system: Running, job: str) -> None:
    text = system.text(job, OPEN_METRICS)
    assert text.endswith("# EOF\n")
    assert "app_build_info" in {family.name for family in open_metrics(text)}  # type: ignore[no-untyped-call]


@of_every_job
def test_a_service_has_few_series(system: Running, job: str) -> None:
    assert len(system.samples(job)) < MOST_SAMPLES
