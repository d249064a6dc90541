"""With every values file under a chart's ci/, the chart renders what Kubernetes takes."""

from pathlib import Path

import pytest

from tests.charts.helm import Helm, given
from tests.charts.kubernetes import problem

pytestmark = pytest.mark.charts
with_values = pytest.mark.parametrize(
    ("chart", "values"), [pytest.param(chart, path, id=f"{chart}-{path.stem}") for chart, path in given()]
)


@with_values
def test_a_chart_passes_lint_strictly(helm: Helm, chart: str, values: Path) -> None:
    done = helm.lint(chart, values)
    assert done.returncode == 0, done.stdout + done.stderr


@with_values
def test_a_chart_renders_what_kubernetes_takes(helm: Helm, chart: str, values: Path) -> None:
    found = {_name(one): problem(one) for one in helm.resources(chart, "--values", values)}
    assert found, f"{chart} renders nothing"
    assert {name: reason for name, reason in found.items() if reason} == {}


@with_values
def test_a_chart_renders_the_same_twice(helm: Helm, chart: str, values: Path) -> None:
    assert helm.rendered(chart, "--values", values) == helm.rendered(chart, "--values", values)


@with_values
def test_a_chart_names_nothing_twice(helm: Helm, chart: str, values: Path) -> None:
    names = [_name(resource) for resource in helm.resources(chart, "--values", values)]
    assert sorted(set(names)) == sorted(names)


@with_values
def test_an_upgrade_renders_the_same_as_an_install(helm: Helm, chart: str, values: Path) -> None:
    assert helm.rendered(chart, "--values", values, "--is-upgrade") == helm.rendered(chart, "--values", values)


def _name(resource: dict[str, dict[str, str]]) -> str:
    return f"{resource['kind']}/{resource['metadata']['name']}"
