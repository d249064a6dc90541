"""One byte of the audit log changed in its database, and found: by `verify`, and by the running service itself."""

import contextlib
import sqlite3
from collections.abc import Iterator

import httpx
from sqlalchemy import select

from services.audit.metrics import CHANGED
from services.audit.notary.checkpoint_store import newest_published
from services.audit.store import entries
from services.contracts.catalog import USER_EVENTS
from services.workbench.local.ports import HOST
from services.workbench.local.system import verify_audit
from services.workbench.polling import until
from services.workbench.scrape import sums
from services.workbench.tour.forged_log import forge
from services.workbench.tour.scene import PATIENCE_S, Scene
from services.workbench.tour.stop import Stop

FORKED = 4  # exit code
BEFORE, AFTER = b"hedy@example.org", b"hedi@example.org"


def _play(scene: Scene) -> None:
    user = scene.register("Hedy Lamarr")
    position, place = until("the entry", lambda: _entries(scene, user.correlation_id), bool, PATIENCE_S)[0]
    code, output = _verify(scene)
    scene.check("`verify` finds the audit log whole.", code == 0, output)
    with _changed(scene, position):
        scene.screen.step(f"one byte of entry {position} ({place}) changed: {BEFORE.decode()} → {AFTER.decode()}")
        code, output = _verify(scene)
        scene.screen.say(output, "red")
        scene.check(
            "The running audit service has found it by itself, which raises the alert AuditLogChanged.",
            until("the service finds the change", lambda: _found_by_itself(scene), bool, PATIENCE_S),
            "no change",
        )
    scene.check(
        "`verify` fails, and names the entry and its place.",
        code == 1 and place in output and f"at position {position}:" in output,
        (code, output),
    )
    scene.screen.step("the byte has its old value again")
    code, output = _verify(scene)
    scene.check("`verify` finds the audit log whole again.", code == 0, output)
    until("the service finds its log whole again", lambda: not _found_by_itself(scene), bool, PATIENCE_S)
    _forge(scene, position)


def _forge(scene: Scene, position: int) -> None:
    """Do it better, in a copy: with every hash computed again. The keys of log and witness are not in the database."""
    until("a checkpoint of the entry", lambda: _signed(scene) > position, bool, PATIENCE_S)
    copy = scene.folder / "forged.db"
    with contextlib.closing(sqlite3.connect(scene.folder / "audit.db")) as database:
        [value] = database.execute("SELECT value FROM entries WHERE position = ?", (position,)).fetchone()
    forge(scene.folder / "audit.db", copy, position, value.replace(BEFORE, AFTER))
    scene.screen.step("a copy of the database has the changed byte, and all hashes of the log computed again")
    done = verify_audit(scene.settings, scene.folder, copy)
    output = done.stderr.strip()
    scene.screen.say(output, "red")
    scene.check(
        "`verify` finds the fork by a checkpoint that the witness has cosigned.",
        done.returncode == FORKED and "have another root than their checkpoint" in output,
        (done.returncode, output),
    )


def _signed(scene: Scene) -> int:
    """Return the number of entries that the newest published checkpoint covers, 0 without one."""
    with scene.store("audit") as database, database.read() as connection:
        newest = newest_published(connection)
    return 0 if newest is None else newest.size


def _entries(scene: Scene, correlation_id: str) -> list[tuple[int, str]]:
    """Return position and place of the facts that a command led to."""
    query = select(entries.c.position, entries.c.partition, entries.c.offset).where(
        entries.c.correlation_id == correlation_id, entries.c.topic == USER_EVENTS.name
    )
    with scene.store("audit") as database, database.read() as connection:
        return [
            (row.position, f"{USER_EVENTS.name}[{row.partition}]@{row.offset}") for row in connection.execute(query)
        ]


@contextlib.contextmanager
def _changed(scene: Scene, position: int) -> Iterator[None]:
    """Change one byte of an entry's value, and change it back at the end."""
    with contextlib.closing(sqlite3.connect(scene.folder / "audit.db")) as database:
        _replace(database, position, BEFORE, AFTER)
        try:
            yield
        finally:
            _replace(database, position, AFTER, BEFORE)


def _replace(database: sqlite3.Connection, position: int, old: bytes, new: bytes) -> None:
    with database:
        [value] = database.execute("SELECT value FROM entries WHERE position = ?", (position,)).fetchone()
        database.execute("UPDATE entries SET value = ? WHERE position = ?", (value.replace(old, new), position))


def _found_by_itself(scene: Scene) -> bool:
    url = f"http://{HOST}:{scene.settings.metrics_port('audit')}/metrics"
    return sums(httpx.get(url, timeout=PATIENCE_S).text)[CHANGED.name] == 1


def _verify(scene: Scene) -> tuple[int, str]:
    """Run the audit service's own verification; return its exit code and last line."""
    done = verify_audit(scene.settings, scene.folder)
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()[-1]


STOP = Stop(
    title="One byte of the audit log is changed, and found",
    shows="The audit service records every record of every topic. Each entry has a hash over its bytes and the hash of "
    "the entry before it: a chain. Somebody changes one letter of an address in the database, past the service.",
    look_at=(
        "the entry that `verify` names: the one that was changed",
        "its exit code: 1, so that a script notices",
        "the running service: it verifies its log again and again, and finds the change as well",
        "a copy of the database in which every hash was computed again: a cosigned checkpoint shows the fork",
    ),
    play=_play,
)
