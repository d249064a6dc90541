"""The chart that a new service gets: whole, under its own name, without a word on the chart that it is made from."""

import re

from services.workbench.local.system import ROOT
from services.workbench.new_service.chart import MODEL, chart_files

DESCRIPTION = "The billing service: the newest record of each key of user.state.v1"
FILES = {str(file.path): file for file in chart_files("billing", DESCRIPTION)}


def test_every_template_of_a_service_is_there() -> None:
    templates = {path.name for path in (ROOT / "charts" / MODEL / "templates").iterdir()}
    assert {path.rpartition("/")[2] for path in FILES if "/templates/" in path} == templates


def test_the_chart_and_its_readme_have_the_description() -> None:
    assert f'description: "{DESCRIPTION}"\n' in FILES["charts/billing/Chart.yaml"].text
    assert FILES["charts/billing/README.md"].text.startswith(f"# billing\n{DESCRIPTION}.\n\n```\n")


def test_nothing_is_left_of_the_service_that_it_is_made_from() -> None:
    left = {path: found for path, file in FILES.items() if (found := re.findall(r"audit|chain", file.text))}
    assert left == {}


def test_the_whole_system_is_linked_to_it_and_it_to_the_library() -> None:
    links = {path: str(file.link) for path, file in FILES.items() if file.link}
    assert links == {
        "charts/eventline/charts/billing": "../../billing",
        "charts/billing/charts/service": "../../service",
    }
