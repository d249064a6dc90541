"""What is done to the system, and which alerts it must raise. A deed is undone as soon as they have been raised."""

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import msgspec
import psycopg

from services.chassis.kafka.producer import Producer
from services.chassis.messages.record import Outgoing
from services.contracts.catalog import USER_NOTICES
from services.user import publisher
from services.workbench.bench.workload import registered
from services.workbench.local.trial import READY_S
from tests.alerts.stage import CEILING, VOLUME_MB, Stage, await_answer
from tests.support.console_process import console

STATE, NOTICE = 1, 2  # of the three records of a registration
PARKED_USER, EARLY_USER = 7, 8
MIB = 2**20
RESTARTS = 3

Alerts = dict[str, str]  # the job of each


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens while the block of `happening` is open.

    `raises` are told while it happens, `leaves` once it is over: what was late is counted when it comes.
    """

    what: str
    happening: Callable[[Stage], AbstractContextManager[None]]
    raises: Alerts = {}
    leaves: Alerts = {}
    at_least_s: float = 0.0


def _stopped(name: str) -> Callable[[Stage], AbstractContextManager[None]]:
    @contextmanager
    def happening(stage: Stage) -> Iterator[None]:
        process = stage.system.process(name)
        os.kill(process.pid, signal.SIGSTOP)
        yield
        os.kill(process.pid, signal.SIGCONT)
        process.wait_ready(READY_S)

    return happening


def _killed(name: str) -> Callable[[Stage], AbstractContextManager[None]]:
    @contextmanager
    def happening(stage: Stage) -> Iterator[None]:
        stage.system.kill(name)
        yield
        stage.system.start(name)
        stage.system.wait_ready(READY_S, name)

    return happening


@contextmanager
def _restarts(stage: Stage) -> Iterator[None]:
    for number in range(1, RESTARTS + 1):
        with _killed("console")(stage):
            pass
        await_answer(stage.prometheus, f'changes(process_start_time_seconds{{job="console"}}[10m]) >= {number}')
    yield


@contextmanager
def _not_found(stage: Stage) -> Iterator[None]:
    stage.targets.show("audit")
    yield
    stage.targets.show()


@contextmanager
def _table_locked(stage: Stage) -> Iterator[None]:
    with psycopg.connect(_dsn(stage)) as connection:
        connection.execute("LOCK TABLE users")
        yield
        connection.rollback()


@contextmanager
def _large_database(stage: Stage) -> Iterator[None]:
    with psycopg.connect(_dsn(stage), autocommit=True) as connection:
        connection.execute("CREATE UNLOGGED TABLE filler AS SELECT generate_series(1, 6200000)")  # 36 bytes each
    yield
    with psycopg.connect(_dsn(stage), autocommit=True) as connection:
        connection.execute("DROP TABLE filler")


def _dsn(stage: Stage) -> str:
    return stage.urls["user"].replace("+psycopg", "")


@contextmanager
def _postgres_stopped(stage: Stage) -> Iterator[None]:
    stage.postgres.stop()
    yield
    stage.postgres.start()


@contextmanager
def _volume_full(stage: Stage) -> Iterator[None]:
    assert stage.volume, "there is no small volume"
    filler = stage.volume / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (shutil.disk_usage(stage.volume).free // MIB - 5) * MIB)
    yield
    filler.unlink()


@contextmanager
def _letters(stage: Stage) -> Iterator[None]:
    _publish(stage, [_nonsense()] * (CEILING * 3 // 5))
    yield


@contextmanager
def _flood(stage: Stage) -> Iterator[None]:
    _publish(stage, [_nonsense()] * (CEILING * 2))
    yield
    stage.system.kill("notification")  # it has ended by itself
    stage.system.start("patient")
    stage.system.wait_ready(READY_S, "patient")


@contextmanager
def _state_that_cannot_be_stored(stage: Stage) -> Iterator[None]:
    record = publisher.records(registered(PARKED_USER))[STATE]
    user_id = (record.key or b"").decode()
    _sqlite(
        stage,
        f"CREATE TRIGGER test BEFORE INSERT ON replica WHEN NEW.user_id = '{user_id}' "  # our own
        "BEGIN SELECT RAISE(ABORT, 'refused by the test'); END",
    )
    _publish(stage, [record])
    yield
    _sqlite(stage, "DROP TRIGGER test")
    code, said = console({"APP_DATABASE_URL": stage.urls["notification"]}, "parked", "retry")
    assert code == 0, said


@contextmanager
def _database_locked(stage: Stage) -> Iterator[None]:
    # Not a stopped process: what that one applies before Prometheus has looked twice is in no rate of a short window.
    with _notification_database(stage) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def _sqlite(stage: Stage, statement: str) -> None:
    with _notification_database(stage) as database:
        database.execute(statement)


def _notification_database(stage: Stage) -> contextlib.closing[sqlite3.Connection]:
    path = stage.urls["notification"].removeprefix("sqlite:///")
    return contextlib.closing(sqlite3.connect(path, timeout=READY_S, isolation_level=None))


@contextmanager
def _notice_without_state(stage: Stage) -> Iterator[None]:
    records = publisher.records(registered(EARLY_USER))
    _publish(stage, [records[NOTICE]])
    yield
    _publish(stage, [records[STATE]])


def _nonsense() -> Outgoing:
    return Outgoing(USER_NOTICES.name, b"nobody", b"no event", [], int(time.time() * 1000))


def _publish(stage: Stage, records: Sequence[Outgoing]) -> None:
    producer = Producer(stage.kafka, "alerts")
    producer.publish(records)
    producer.close()


# What happens side by side. The slowest to clear come first: a ticket of an SLO looks at two hours, 144 s here.
PHASES: tuple[tuple[Deed, ...], ...] = (
    (
        Deed(
            what="the table of users is locked",
            happening=_table_locked,
            leaves={"ApiLatencyBudgetBurn": "user"},
            at_least_s=6,
        ),
        Deed(
            what="notification's database is locked",
            happening=_database_locked,
            leaves={"EventToEffectBudgetBurn": "notification"},
            at_least_s=25,
        ),
        Deed(
            what="notification hangs",
            happening=_stopped("notification"),
            raises={
                "ServiceDown": "notification",
                "GroupWithoutMembers": "notification",
                "ConsumerLagging": "notification",
            },
            at_least_s=18,  # Alertmanager waits 10 s for others of its group before it sends the mail
        ),
        Deed(what="audit hangs", happening=_stopped("audit"), raises={"AuditBehind": "audit"}),
        Deed(
            what="a user process is killed, the other lives",
            happening=_killed("user-2"),
            raises={"ReplicaDown": "user"},
        ),
        Deed(what="200 MB more in user's database", happening=_large_database, raises={"DatabaseLarge": "user"}),
    ),
    (
        Deed(
            what="PostgreSQL stops",
            happening=_postgres_stopped,
            raises={
                "ApiAvailabilityBudgetBurn": "user",
                "DatabaseUnreachable": "user",
                "ConsumerPaused": "user",
                "RelayWithoutLease": "user",
            },
            at_least_s=8,
        ),
        Deed(what="the lag probe restarts three times", happening=_restarts, raises={"ServiceRestarting": "console"}),
    ),
    (
        Deed(
            what="the mail sink is killed",
            happening=_killed("sink"),
            raises={"MailServerDown": "notification", "MailsWaiting": "notification"},
        ),
        Deed(
            what="records that are no events",
            happening=_letters,
            raises={"DeadLettersWritten": "notification", "CeilingNear": "notification"},
        ),
        Deed(
            what="notification's database refuses a user",
            happening=_state_that_cannot_be_stored,
            raises={"KeysParked": "notification"},
        ),
        Deed(
            what="a notice comes without its state",
            happening=_notice_without_state,
            raises={"NoticesWaiting": "notification"},
        ),
        Deed(
            what=f"audit's volume of {VOLUME_MB} MB fills", happening=_volume_full, raises={"DatabaseSpaceLow": "audit"}
        ),
    ),
    (
        Deed(
            what="the broker is killed",
            happening=_killed("broker"),
            raises={"BrokerUnreachable": "user", "OutboxOld": "user", "LagProbeBlind": ""},
        ),
        Deed(what="Prometheus finds no audit", happening=_not_found, raises={"ServiceGone": "audit"}),
    ),
    (Deed(what="more of them than the ceiling", happening=_flood, raises={"CeilingReached": "notification"}),),
)
# What one machine with one broker and no kubelet cannot show; promtool's cases stand for them.
BY_PROMTOOL_ALONE = {
    "PartitionsUnderReplicated": "one broker has no replicas to lose",
    "VolumeSpaceLow": "no kubelet reports volumes here",
    "VolumeFillsSoon": "no kubelet reports volumes here",
}
