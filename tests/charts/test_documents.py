"""The documents that `python -m k8s.charts` wrote match the charts and the programs."""

from pathlib import Path

import pytest

from k8s.charts.documents import documents
from k8s.charts.settings import CHARTS
from k8s.charts.tables import table, unexplained, values

EXAMPLE = """# Not of a key.

# How many.
replicas: 1
image:
  # Where it is,
  # or from whom.
  name: a
  tag: b
# A map as a whole.
labels: {x: y|z}
"""


@pytest.mark.parametrize(
    ("path", "text"), [pytest.param(*pair, id=f"{pair[0].parent.name}/{pair[0].name}") for pair in documents().items()]
)
def test_a_generated_file_is_as_the_charts_report(path: Path, text: str) -> None:
    assert path.exists(), f"{path} is not there: run python -m k8s.charts"
    assert path.read_text() == text, f"{path} differs from the charts: run python -m k8s.charts"


@pytest.mark.parametrize("chart", sorted(path.parent.name for path in CHARTS.glob("*/values.yaml")))
def test_every_value_is_explained(chart: str) -> None:
    assert unexplained((CHARTS / chart / "values.yaml").read_text()) == []


def test_a_comment_right_above_a_key_explains_it() -> None:
    assert [(".".join(value.path), value.comment) for value in values(EXAMPLE)] == [
        ("replicas", "How many."),
        ("image.name", "Where it is, or from whom."),
        ("labels", "A map as a whole."),
    ]


def test_a_value_that_nothing_explains_is_found() -> None:
    assert unexplained(EXAMPLE) == ["image.tag"]


def test_a_table_shows_defaults_as_json() -> None:
    assert '| `labels` | `{"x": "y|z"}` | A map as a whole. |' in table(EXAMPLE)
