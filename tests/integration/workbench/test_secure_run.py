"""The whole local system with `SECURE=1`: logins and rights of each process, refused rights, and changed passwords."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from services.chassis.kafka.access.acls import AccessAdmin, Acl
from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.settings.environment import variables
from services.console.settings import ConsoleSettings
from services.contracts.service_list import SERVICES
from services.workbench.local.access.secured_broker import denials
from services.workbench.local.ports import HOST
from services.workbench.local.processes import probe
from services.workbench.local.system import local_programs, service, service_environment
from services.workbench.local.trial import READY_S, Trial, settings_on_free_ports, trial, wrong
from services.workbench.polling import until
from tests.support.broker import JARS
from tests.support.command_blocks import blocks_for, execute

pytestmark = pytest.mark.long

USERS = 100
ANSWER_S = 5.0
# One right of each service, and what its readiness must name when it is removed.
TAKEN = {
    "user": Acl("User:eventline-user", "topic", "user.events.v1", "Write"),
    "notification": Acl("User:eventline-notification", "topic", "user.state.v1", "Read"),
    "audit": Acl("User:eventline-audit", "group", "audit", "Read"),
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    state = tmp_path / "state"
    state.mkdir()
    (state / "kafka").symlink_to(JARS)
    settings = replace(settings_on_free_ports(USERS), state_dir=state, secure=True)
    settings = replace(settings, token_key_file=str(settings.issuer_key()))
    monkeypatch.setenv("APP_TOKEN_KEY_FILE", settings.token_key_file)
    with trial(settings, local_programs(settings, tmp_path), tmp_path) as run:
        yield run


def denied(run: Trial) -> list[str]:
    return denials(run.folder / "broker" / "broker.log")


def readiness(run: Trial, name: str) -> str:
    """Return what /readyz answers beside 200, nothing if it is 200."""
    return probe(HOST, run.settings.metrics_port(name), "/readyz") or ""


def until_ready(run: Trial, name: str) -> None:
    until(f"{name} is ready", lambda: readiness(run, name), lambda seen: not seen, READY_S)


def test_a_hundred_users_are_processed_and_nothing_is_denied(run: Trial) -> None:
    before = len(denied(run))  # `console rights` asks as each user for what it must not do

    async def nothing() -> None:
        """Break nothing."""

    watch = run.play(nothing)
    assert wrong(watch.lines()) == []
    assert len(watch.accepted) == run.commands
    assert denied(run)[before:] == []


def test_each_service_has_its_own_login_alone(run: Trial) -> None:
    passwords = {path.name: path.read_text() for path in run.settings.logins().passwords.iterdir()}
    for name in SERVICES:
        environment = run.system.process(name).program.environment
        assert [other for other, secret in passwords.items() if secret in environment.values()] == [name]


def test_a_service_names_a_right_that_is_taken_away_and_goes_on_when_it_is_given_back(run: Trial) -> None:
    admin = AccessAdmin(run.settings.administrator, "test")

    def has_named(name: str, right: Acl) -> None:
        wanted = (right.principal.removeprefix("User:"), right.operation.upper(), right.name)
        until(
            f"{name} names {wanted}",
            lambda: readiness(run, name),
            lambda seen: all(one in seen for one in wanted),
            READY_S,
        )

    async def take_away_and_give_back() -> None:
        admin.remove(TAKEN.values())
        for name, right in TAKEN.items():
            await asyncio.to_thread(has_named, name, right)
        run.system.require_running()
        admin.add(TAKEN.values())
        for name in TAKEN:
            await asyncio.to_thread(until_ready, run, name)

    watch = run.play(take_away_and_give_back)
    assert wrong(watch.lines()) == []
    assert len(watch.accepted) == run.commands


def rotated(run: Trial, name: str) -> Mapping[str, str]:
    """Change a principal's password by the documented commands, and return the variables of a service that has it."""
    (block,) = blocks_for(__file__, "docs/operations.md")
    administrator = variables(ConsoleSettings, replace(run.settings.administrator, state_dir=Path(".eventline")))
    passwords = {"APP_RIGHTS_PASSWORDS": str(run.settings.logins().passwords), "PROCESS": name}
    code, output = execute(block.text, administrator | passwords)
    assert code == 0, output
    assert f"users: set eventline-{name}\n" in output
    return service_environment(name, run.settings, run.folder)


def test_passwords_are_rotated_one_service_after_the_other_and_nothing_is_lost(run: Trial) -> None:
    before, old = len(denied(run)), {name: run.settings.client_of(name) for name in SERVICES}

    async def rotate() -> None:
        for name in SERVICES:
            environment = await asyncio.to_thread(rotated, run, name)
            assert readiness(run, name) == ""  # with its old password its connections live on
            assert run.system.stop(name) == {name: 0}
            run.system.exchange(service(name, environment, run.folder))
            run.system.start(name)
            await asyncio.to_thread(run.system.wait_ready, READY_S, name)

    watch = run.play(rotate)
    assert wrong(watch.lines()) == []
    assert len(watch.accepted) == run.commands
    assert [line for line in denied(run)[before:] if "FindCoordinator" not in line and "Metadata" not in line] == []
    for settings in old.values():
        with pytest.raises(BrokerUnavailableError, match="APP_KAFKA_PASSWORD"):
            KafkaAdmin(settings, "test").reach(ANSWER_S)
