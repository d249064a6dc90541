"""Journeys of more than 2,000 commands while every service is killed; `services/workbench/soak/journeys.py` does more.

`JOURNEY_USERS` sets the number of users: 1,120 of them send 2,000 commands.
"""

import os
from pathlib import Path

import pytest

from services.contracts.service_list import SERVICES
from services.workbench.local.system import local_programs
from services.workbench.local.trial import hastened, settings_on_free_ports, trial
from services.workbench.soak.journeys import play

pytestmark = pytest.mark.long

USERS = int(os.environ.get("JOURNEY_USERS", "1130"))


def test_after_kills_every_record_belongs_to_one_journey_with_a_known_cause(tmp_path: Path) -> None:
    settings = settings_on_free_ports(USERS)
    programs = [hastened(program) for program in local_programs(settings, tmp_path)]
    with trial(settings, programs, tmp_path) as run:
        seen = play(run, rounds=1)
    assert seen.problems() == [], seen.in_words()
    assert seen.kills == len(SERVICES)
    assert seen.during > 0, "no command was accepted between the first kill and the last restart"
    if USERS == 1130:
        assert seen.commands > 2000
        assert seen.survey.journeys == seen.commands
