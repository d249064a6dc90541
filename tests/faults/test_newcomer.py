"""After some hundred mixed commands everything is built again from the log; `tests/soak/rebuild.py` does thousands."""

from pathlib import Path

import pytest
from sqlalchemy import text

from services.chassis.database.database import Database
from services.workbench.local.system import local_programs
from services.workbench.local.trial import settings_on_free_ports, trial
from services.workbench.soak.rebuild import play, rebuild_check, store

pytestmark = pytest.mark.long

COMMANDS = 500
RATE = 60


def test_the_log_alone_gives_the_users_and_a_newcomer_s_replica_is_notification_s(tmp_path: Path) -> None:
    settings = settings_on_free_ports(1)
    with trial(settings, local_programs(settings, tmp_path), tmp_path) as run:
        seen = play(run, COMMANDS, RATE)
        spoil_a_user(store(run, "user"))
        afterwards = rebuild_check(run)
    assert seen.problems() == [], seen.in_words()
    assert seen.commands >= COMMANDS
    assert seen.own.highest_version > 2, "no user has several versions"
    assert seen.states > seen.own.users, "no user has several versions"
    assert afterwards == 1, "a user that was changed by hand was not found"


def spoil_a_user(url: str) -> None:
    database = Database(url)
    with database.write() as connection:
        connection.execute(
            text(
                "UPDATE users SET state = replace(state, 'example.org', 'example.net') "
                "WHERE user_id = (SELECT min(user_id) FROM users)"
            )
        )
    database.close()
