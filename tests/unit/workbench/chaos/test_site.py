"""The folders that campaigns write into."""

import pytest

from services.workbench.chaos.site import Target, folder_of
from services.workbench.settings import WorkbenchSettings


@pytest.mark.parametrize("elsewhere", [Target.COMPOSE, Target.KIND])
def test_campaigns_side_by_side_write_into_folders_of_their_own(elsewhere: Target) -> None:
    settings = WorkbenchSettings()
    assert folder_of(settings, elsewhere) not in {folder_of(settings, other) for other in Target if other != elsewhere}
