"""Checks of a release's parts: tags in rendered charts, labels of images, and its notes."""

from pathlib import Path

import pytest

from services.workbench.release.charts import check_tags
from services.workbench.release.describe import Outcome, notes
from services.workbench.release.images import Image, check_labels
from services.workbench.release.plan import Plan, ReleaseError

PLAN = Plan(version="1.2.0", revision="a" * 40, committed="2026-11-30T06:00:00+00:00", notes="- Two.", draft=False)
LABELS = {
    "org.opencontainers.image.version": PLAN.version,
    "org.opencontainers.image.revision": PLAN.revision,
    "org.opencontainers.image.created": PLAN.committed,
}
IMAGE = Image("user", "eventline/user:1.2.0", "sha256:00", "linux/amd64", [])
OTHERS = """\
  image: grafana/grafana:13.1.0
  image: "registry.example.com/team/eventline/audit:1.2.0@sha256:00"
"""


def test_charts_that_refer_to_the_images_of_the_release_pass() -> None:
    check_tags("p", f"{OTHERS}  image: eventline/user:1.2.0\n", PLAN.version)


@pytest.mark.parametrize("rendered", ["", OTHERS + "image: eventline/user:dev\n"], ids=["none", "another"])
def test_a_chart_that_refers_to_other_images_is_refused(rendered: str) -> None:
    with pytest.raises(ReleaseError, match=r"refers to images with the tags .*, not 1\.2\.0"):
        check_tags("p", rendered, PLAN.version)


def test_labels_of_the_plan_pass() -> None:
    check_labels(IMAGE.reference, LABELS, PLAN)


@pytest.mark.parametrize("label", LABELS)
def test_a_label_that_differs_or_lacks_is_refused(label: str) -> None:
    for labels in ({**LABELS, label: "unknown"}, {key: text for key, text in LABELS.items() if key != label}):
        with pytest.raises(ReleaseError, match=label.rpartition(".")[2]):
            check_labels(IMAGE.reference, labels, PLAN)


def test_notes_name_the_commit_the_changes_the_platforms_and_what_was_not_made() -> None:
    outcome = Outcome([IMAGE], {"make lint": "passed"}, {"images for linux/arm64": "no emulation"})
    text = notes(Path("/no/such/folder"), PLAN, outcome)
    assert f"Commit {PLAN.revision}" in text
    assert "- Two." in text
    assert "Built for linux/amd64; a release is for linux/amd64 and linux/arm64." in text
    assert "- make lint: passed" in text
    assert "- images for linux/arm64: no emulation" in text
    assert "draft" not in text
