"""The users of an earlier moment, built from the log alone, and what changed since."""

import contextlib
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select

from services.chassis.database.database import Database
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.settings.environment import variables
from services.contracts.catalog import USER_EVENTS
from services.contracts.envelope import to_text
from services.contracts.user import UserState
from services.user.api_schemas import body_of
from services.user.store import STATE, users
from services.workbench.local.system import clean_environment
from services.workbench.tour.scene import Scene
from services.workbench.tour.stop import Stop

BEFORE, AFTER = "dorothy@example.org", "vaughan@example.net"
FILE = "then.db"


def _play(scene: Scene) -> None:
    registered = scene.register("Dorothy Vaughan")
    user_id = registered.user_id
    moment = scene.record(USER_EVENTS, registered.correlation_id).header("ce_time") or ""
    scene.record(USER_EVENTS, scene.change(registered, email=AFTER).correlation_id)
    code, output = _build(scene, moment)
    scene.check("`as-of` built a database that did not exist, and read nothing but user.events.v1.", code == 0, output)
    then, now = _users(scene.folder / FILE), _users(scene.folder / "user.db")
    old = then.get(user_id)
    scene.check(
        f"It has the {len(then)} users of that moment; Dorothy's address in it is {BEFORE}.",
        old and old.personal.email == BEFORE,
        old,
    )
    differing = {user for user in then.keys() | now.keys() if then.get(user) != now.get(user)}
    scene.check(
        f"The user service's database of now has {AFTER}, and differs in nothing else: --diff names that one user.",
        differing == {user_id} and now[user_id].personal.email == AFTER and output.count("\nuser ") == 1,
        (differing, output),
    )
    scene.screen.step(f"GET /users/{user_id}?as_of={moment}")
    answer = scene.user(user_id, as_of=moment)
    scene.check(
        f"The service answers the same for that moment: version {answer.version}, {answer.email}.",
        old and answer == body_of(old),
        answer,
    )
    scene.screen.say(
        "So the table of users is a copy, and the log is its source: it can be made again as of any moment. A lost "
        "database comes back the same way, with `python -m services.user restore` (docs/backup.md)."
    )


def _build(scene: Scene, moment: str) -> tuple[int, str]:
    """Run `console as-of`; show the command and its report, and return its exit code and output."""
    into = f"sqlite:///{_short(scene.folder / FILE)}"
    arguments = ("as-of", moment, "--into", into, "--diff", to_text(utc_now()), "--personal")
    scene.screen.step(" ".join(("console", *arguments)))
    environment = clean_environment(variables(KafkaSettings, scene.settings.client))
    argv = (sys.executable, "-m", "services.console", *arguments)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    scene.screen.say(done.stdout.strip(), "dim")
    return done.returncode, done.stdout + done.stderr


def _short(path: Path) -> Path:
    """Return a path as a person in this folder would write it."""
    with contextlib.suppress(ValueError):
        return path.absolute().relative_to(Path.cwd())
    return path.absolute()


def _users(file: Path) -> dict[str, UserState]:
    database = Database(f"sqlite:///{file.absolute()}")
    try:
        with database.read() as connection:
            return {
                user_id: STATE.decode(text)
                for user_id, text in connection.execute(select(users.c.user_id, users.c.state))
            }
    finally:
        database.close()


STOP = Stop(
    title="The log is the truth: the users of any moment",
    shows="Somebody registers, and her address is changed. Then the users as they were before that change are built in "
    "a new database, from the log of facts alone: no backup was made, and the user service is not asked.",
    look_at=(
        "the moment: the time of her registration; any time works, and so does a sequence number",
        "sha256: equal for equal users, on SQLite and on PostgreSQL",
        "the line that --diff prints: who changed between then and now, and in what",
        "?as_of=: the same question about one user, which the service answers from its own history",
    ),
    play=_play,
)
