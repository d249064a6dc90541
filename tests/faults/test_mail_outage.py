"""An outage of the mail server for seconds under load; `services/workbench/soak/mail_outage.py` does it for minutes."""

from pathlib import Path

import pytest

from services.workbench.local.system import local_programs
from services.workbench.local.trial import settings_on_free_ports, trial
from services.workbench.soak.mail_outage import play

pytestmark = pytest.mark.long

SECONDS = 6.0
USERS_PER_SECOND = 15


def test_a_mail_server_that_is_unreachable_costs_no_memory_no_rebalance_no_mail_and_no_order(tmp_path: Path) -> None:
    settings = settings_on_free_ports(1)
    with trial(settings, local_programs(settings, tmp_path), tmp_path) as run:
        seen = play(run, SECONDS, USERS_PER_SECOND)
    assert seen.during.waiting > 0, "nothing was to be sent while the mail server was down"
    assert seen.problems() == [], seen.in_words()
