"""A consumer killed under load: its lag rises, and drains when it is back, with nothing missing or repeated."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from services.audit.store import entries
from services.console.lag import event_partitions
from services.workbench.polling import until
from services.workbench.tour.scene import PATIENCE_S, Scene
from services.workbench.tour.stop import Stop

USERS = 150
THREADS = 8
LOOK_S = 0.2
LINE_S = 1.0
WIDTH = 50  # of the longest bar
FULL = USERS * 5  # records that so many registrations lead to: three of each user, two about the mail
GROUP = "audit"


def _play(scene: Scene) -> None:
    until("no lag", lambda: scene.lag(GROUP), lambda lag: lag == 0, PATIENCE_S)
    lags = Lags(scene)
    scene.kill(GROUP)
    scene.screen.step(f"{USERS} users register, and get their mails")
    with ThreadPoolExecutor(THREADS) as threads:
        sending = [threads.submit(_register, scene, number) for number in range(USERS)]
        lags.follow(lambda _: all(one.done() for one in sending))
    commands = {one.result() for one in sending}
    peak = lags.follow(lambda _: commands <= scene.mailed())
    scene.check(
        f"All {USERS} users have got their mail, with the audit service dead.",
        GROUP not in scene.system.running,
        scene.system.running,
    )
    scene.check(f"{peak:,} records wait for the dead consumer; Kafka keeps them.", peak >= USERS, peak)
    scene.screen.step("audit starts again")
    started = time.monotonic()
    scene.system.start(GROUP)
    lag = lags.follow(lambda lag: lag == 0)
    scene.check(f"The lag is 0 again, {time.monotonic() - started:.1f} s after the start.", lag == 0, lag)
    written = _written(scene)
    places = until("an entry for each record", lambda: _places(scene), lambda seen: len(seen) >= written, PATIENCE_S)
    scene.check(
        f"The audit log has each of the {written:,} records of all topics exactly once.",
        len(places) == len(set(places)) == written,
        f"{len(places)} entries, {len(set(places))} different",
    )
    scene.system.wait_ready(PATIENCE_S, GROUP)


class Lags:
    """Measures the lag now and then, and prints it as a bar."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._started = time.monotonic()
        self._printed = -LINE_S

    def follow(self, done: Callable[[int], bool]) -> int:
        """Measure until done, print a bar a second, and return the last lag. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            lag, at = self._scene.lag(GROUP), time.monotonic()
            if (is_done := done(lag)) or at - self._printed >= LINE_S:
                self._scene.screen.bar(bar(at - self._started, lag))
                self._printed = at
            if is_done:
                return lag
            if at > deadline:
                raise TimeoutError(f"the lag of {GROUP}: not as expected within {PATIENCE_S:g} s; last seen: {lag}")
            time.sleep(LOOK_S)


def bar(seconds: float, lag: int) -> str:
    """Return a measurement as a line of text with a bar."""
    return f"{seconds:5.1f} s  lag {lag:4}  {'█' * min(WIDTH, round(lag / FULL * WIDTH))}".rstrip()


def _register(scene: Scene, number: int) -> str:
    """Register a user, and return the correlation id of the command."""
    body = {"login": f"guest{number}", "email": f"guest{number}@example.org", "full_name": f"Guest {number}"}
    return scene.send("POST", "/users", body).correlation_id


def _written(scene: Scene) -> int:
    begins, ends = scene.topics.begins(event_partitions()), scene.topics.ends(event_partitions())
    return sum(ends[place] - begins[place] for place in ends)


def _places(scene: Scene) -> list[tuple[object, ...]]:
    with scene.store("audit") as database, database.read() as connection:
        return [
            tuple(row) for row in connection.execute(select(entries.c.topic, entries.c.partition, entries.c.offset))
        ]


STOP = Stop(
    title="A consumer is killed: its lag rises, and drains",
    shows=f"The audit service is killed (SIGKILL) while {USERS} users register. Nothing waits for it: commands are "
    "accepted, mails are sent. Records wait for it in Kafka; their number is its lag. It starts again, and goes on at "
    "the place that is in its own database, so that nothing is missing and nothing is recorded twice.",
    look_at=(
        "the bars: the lag of the consumer group audit, in records, once a second",
        "after the start, perhaps no movement at first: until 6 s after the kill the broker waits for the dead member",
        "the numbers at the end: records on all topics, and entries in the audit log",
    ),
    play=_play,
)
