"""Fixtures of the chart tests: each runs on Helm 4 and on Helm 3, as far as they are there."""

import pytest

from tests.charts.helm import PROGRAMS, Helm, found


@pytest.fixture(params=PROGRAMS, scope="session")
def helm(request: pytest.FixtureRequest) -> Helm:
    """A Helm of each major version that the machine has."""
    return found(request.param)
