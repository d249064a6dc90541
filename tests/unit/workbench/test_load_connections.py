"""The load generator's connections: none is used at the moment when a server may cut it."""

from pathlib import Path

import msgspec

from services.chassis.http.server import KEEP_ALIVE_S
from services.chassis.settings.environment import duration
from services.contracts.service_list import SERVICES
from services.workbench.load.run import IDLE_S

CHARTS = Path(__file__).parents[3] / "charts"


def test_a_connection_is_no_longer_idle_than_a_serving_or_a_stopping_service_allows() -> None:
    values = [msgspec.yaml.decode((CHARTS / name / "values.yaml").read_bytes()) for name in SERVICES]
    drains = [duration(chart["settings"]["drainDelay"]).total_seconds() for chart in values]
    assert min(KEEP_ALIVE_S, *drains) >= 2 * IDLE_S
