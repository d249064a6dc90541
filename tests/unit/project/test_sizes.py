"""The code stays as small as STYLE asks."""

import pytest

from tests.support import sizes


@pytest.mark.parametrize(
    ("measure", "p95", "most"), [(sizes.files, 200, 300), (sizes.functions, 25, 40), (sizes.parameters, 5, 5)]
)
def test_sizes_stay_within_bounds(measure: sizes.Measure, p95: int, most: int) -> None:
    found = measure("services")
    assert sizes.percentile(found, 0.95) <= p95, sizes.table()
    assert sizes.largest(found).size <= most, sizes.table()
