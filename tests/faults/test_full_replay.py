"""Everything is replayed into every service: no mail, no event; what comes after it has its effects once.

The databases of all services are lost. The boundary is between the last record of the replay and the first live one,
on one partition of the notices. `REPLAYED_EVENTS=100000` replays so many.
"""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.contracts.catalog import NOTIFICATION_EVENTS, TOPICS, USER_NOTICES
from services.contracts.service_list import PUBLISHERS, SERVICES
from services.workbench.local.processes import Program
from services.workbench.local.system import local_programs
from services.workbench.local.trial import READY_S, hastened, settings_on_free_ports
from tests.faults.full_replay import PUBLISHED, VERSIONS, Effects, Replayed
from tests.support import killed, killed_at
from tests.support.broker import running
from tests.support.notification_process import SHORT_LEASE, SHORT_SESSIONS

pytestmark = pytest.mark.long

EVENTS = int(os.environ.get("REPLAYED_EVENTS", "3000"))
CONSUMERS = ("notification", "audit")
LAST_STEP = "services.user.restore.restorer:Restorer.finish"
NOTHING = Effects(dict.fromkeys(PUBLISHED, 0), mails=0)
ONE_MAIL = Effects({**dict.fromkeys(PUBLISHED, 1), NOTIFICATION_EVENTS.name: 2}, mails=1)
ADA = {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace", "preferences": {"email": True}}
WITHOUT_EFFECTS = ("tests.support.without_effects",)
RESTORED_ALREADY = 2


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Replayed]:
    """A system whose services are not started yet."""
    with running(tmp_path / "broker", TOPICS, SHORT_SESSIONS) as (broker, _):
        settings = dataclasses.replace(settings_on_free_ports(1), kafka_bootstrap_servers=broker)
        programs = [hurried(hastened(program)) for program in local_programs(settings, tmp_path)]
        run = Replayed(programs, settings.client, tmp_path)
        with run.system:
            run.system.start("sink")
            yield run


def test_a_replay_of_everything_has_no_effect_and_the_first_live_command_has_its_own_once(run: Replayed) -> None:
    last_user = run.fill(EVENTS)
    start(run, *SERVICES)
    run.await_idle(*SERVICES)
    assert set(run.system.stop(*SERVICES).values()) == {0}
    before, had = run.effects(), {service: run.contents(service) for service in SERVICES}
    users = run.users()
    for service in SERVICES:
        run.lose(service)

    restore_users(run)
    assert run.contents("user") == had["user"]
    assert run.effects() - before == NOTHING

    start(run, "user")
    ends = run.ends(USER_NOTICES.name)
    ask(run, "DELETE", f"/users/{last_user}", {"If-Match": "*"})
    run.await_published("user", EVENTS + 1)  # behind the last record of the replay, which nobody has read yet
    (place,) = (place for place, end in run.ends(USER_NOTICES.name).items() if end > ends[place])
    for when in ("before", "after"):
        run.run_until_killed(killed_at.through(when, place, ends[place] - 1), *CONSUMERS)
    start(run, *CONSUMERS)
    run.await_idle(*SERVICES)
    assert run.effects() - before == ONE_MAIL
    assert run.mails[-1].recipients == [f"moved{EVENTS // VERSIONS - 1}@example.org"]
    assert had["audit"] <= run.contents("audit")
    assert len(had["notification"] - run.contents("notification")) == 1, "more than the user's replica has changed"

    middle = run.effects()
    ask(run, "POST", "/users", {}, ADA)
    run.await_published("user", EVENTS + 2)
    run.await_idle(*SERVICES)
    assert run.effects() - middle == ONE_MAIL
    assert len({mail.message_id for mail in run.mails}) == len(run.mails), "a mail was sent twice"
    assert set(run.system.stop(*SERVICES).values()) == {0}
    require_whole(run, users)


def hurried(program: Program) -> Program:
    """Return a program whose lease ends soon after a kill."""
    return program.with_environment(SHORT_LEASE) if program.name in PUBLISHERS else program


def start(run: Replayed, *services: str) -> None:
    run.system.start(*services)
    run.system.wait_ready(READY_S, *services)


def ask(run: Replayed, method: str, path: str, headers: dict[str, str], body: object = None) -> None:
    httpx.request(method, run.url("user") + path, headers=headers, json=body, timeout=READY_S).raise_for_status()


def restore_users(run: Replayed) -> None:
    """Restore the user database; the restore is killed just before and just after its last step."""
    for when in ("before", "after"):
        code, output = run.command("restore", through=killed.through(when, 1, LAST_STEP))
        assert code == killed.KILLED, output
    code, output = run.command("restore", through=WITHOUT_EFFECTS)
    assert code == RESTORED_ALREADY, output


def require_whole(run: Replayed, users: str) -> None:
    """Compare the log with what there is and was, by commands that construct nothing that has an effect."""
    code, output = run.command("rebuild", "--check", through=WITHOUT_EFFECTS)
    assert code == 0, output
    code, output = run.command("as-of", str(EVENTS), "--into", run.url_of("then"), through=WITHOUT_EFFECTS)
    assert f"sha256 {users}" in output
    code, output = run.verify_audit()
    assert code == 0, output
