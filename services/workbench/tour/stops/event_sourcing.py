"""Event sourcing: each fact of a user in order, and the state that a replay of them gives."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import cast

from rich.table import Table
from rich.text import Text

from services.chassis.consumer.decoding import Decoder
from services.chassis.messages.record import Record
from services.contracts.catalog import USER_EVENTS
from services.contracts.user import Fact, UserState
from services.user.api_schemas import body_of
from services.user.domain import evolve
from services.user.rebuild import FACTS
from services.workbench.demo.client import Reply
from services.workbench.local.system import clean_environment, service_environment
from services.workbench.tour.scene import Scene
from services.workbench.tour.stop import Stop


def _play(scene: Scene) -> None:
    user = _life(scene)
    facts = scene.records(USER_EVENTS, "ce_subject", user.user_id, user.version)
    scene.screen.record(facts[1], ("key", "ce_type", "ce_subjectversion", "value"))
    scene.screen.say(f"All {len(facts)} facts, and the state that each of them leads to:")
    states = list(replay(user.user_id, facts))
    scene.screen.table(_table(facts, states))
    versions = [int(record.header("ce_subjectversion") or 0) for record in facts]
    scene.check(
        f"The facts have the versions 1 to {user.version}, without a gap, in one partition.",
        versions == list(range(1, user.version + 1)) and len({record.partition for record in facts}) == 1,
        [(record.place, version) for record, version in zip(facts, versions, strict=True)],
    )
    own = scene.user(user.user_id)
    scene.check(
        "Replayed from the first fact, they give the state that the user service has in its database.",
        body_of(states[-1]) == own,
        (states[-1], own),
    )
    code, output = _rebuild_all(scene)
    scene.check("So do all facts of all users: `rebuild --check` compared them.", code == 0, output)
    scene.link_journey(user.correlation_id)


def _life(scene: Scene) -> Reply:
    user = scene.register("Alan Turing")
    user = scene.change(user, email="turing@example.net")
    user = scene.change(user, full_name="Alan Mathison Turing")
    user = scene.change(user, preferences={"email": False})
    return scene.command("DELETE", f"/users/{user.user_id}", version=user.version)


def replay(user_id: str, facts: Sequence[Record]) -> Iterator[UserState]:
    """Yield a user's state after each fact, by the function that the user service itself uses."""
    state: UserState | None = None
    for event in Decoder(FACTS).decode(facts).events:
        state = evolve(user_id, state, cast("Fact", event.data))
        yield state


def _table(facts: Sequence[Record], states: Sequence[UserState]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="bold magenta", no_wrap=True)
    table.add_column(overflow="fold")
    for record, state in zip(facts, states, strict=True):
        what = Text.assemble((record.header("ce_type") or "", "bold"), " ", (record.value or b"").decode())
        table.add_row(f"v{state.version}", what)
        table.add_row("", Text(f"→ {in_words(state)}", "green"))
    return table


def in_words(state: UserState) -> str:
    """Return a state on one line."""
    mail = "wants mail" if state.preferences.email else "wants no mail"
    return f"{state.status}, {state.personal.full_name}, {state.personal.email}, {mail}"


def _rebuild_all(scene: Scene) -> tuple[int, str]:
    environment = clean_environment(service_environment("user", scene.settings, scene.folder))
    argv = (sys.executable, "-m", "services.user", "rebuild", "--check")
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


STOP = Stop(
    title="Event sourcing: every fact, in order, for ever",
    shows="Somebody registers, changes three things, and leaves. The user service publishes each fact. Its table of "
    "users is only a summary: applied one after the other, the facts give it again, and every earlier state as well.",
    look_at=(
        "topic: user.events.v1, where nothing is ever deleted",
        "ce_type and value: what changed, and only that",
        "ce_subjectversion: rises by one with each fact of a user; a gap would be a lost fact",
        "the green lines: the state after each fact",
    ),
    play=_play,
)
