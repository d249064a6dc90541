"""Faults and the alerts that each must raise; a fault ends as soon as its alerts fire."""

import contextlib
import os
import shutil
import signal
import sqlite3
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
from tests.alerts.environment import CEILING, VOLUME_MB, Environment, await_answer
from tests.support.console_process import console

STATE, NOTICE = 1, 2  # of the three records of a registration
PARKED_USER, EARLY_USER = 7, 8
MIB = 2**20
RESTARTS = 3

Alerts = dict[str, str]  # the job of each


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that lasts while the context of `inject` is open.

    Alerts in `raises` fire during the fault, those in `leaves` after it: late work counts when it is done. Those in
    `may_raise` may fire for a moment, because a process starts in seconds of the scaled clock's minutes.
    """

    what: str
    inject: Callable[[Environment], AbstractContextManager[None]]
    raises: Alerts = {}
    leaves: Alerts = {}
    may_raise: Alerts = {}
    at_least_s: float = 0.0


def _stopped(name: str) -> Callable[[Environment], AbstractContextManager[None]]:
    @contextmanager
    def inject(environment: Environment) -> Iterator[None]:
        process = environment.system.process(name)
        os.kill(process.pid, signal.SIGSTOP)
        yield
        os.kill(process.pid, signal.SIGCONT)
        process.wait_ready(READY_S)

    return inject


def _killed(name: str) -> Callable[[Environment], AbstractContextManager[None]]:
    @contextmanager
    def inject(environment: Environment) -> Iterator[None]:
        environment.system.kill(name)
        yield
        environment.system.start(name)
        environment.system.wait_ready(READY_S, name)

    return inject


@contextmanager
def _restarts(environment: Environment) -> Iterator[None]:
    for number in range(1, RESTARTS + 1):
        with _killed("console")(environment):
            pass
        await_answer(environment.prometheus, f'changes(process_start_time_seconds{{job="console"}}[10m]) >= {number}')
    yield


@contextmanager
def _not_found(environment: Environment) -> Iterator[None]:
    environment.targets.show("audit")
    yield
    environment.targets.show()


@contextmanager
def _table_locked(environment: Environment) -> Iterator[None]:
    with psycopg.connect(_dsn(environment)) as connection:
        connection.execute("LOCK TABLE users")
        yield
        connection.rollback()


@contextmanager
def _large_database(environment: Environment) -> Iterator[None]:
    with psycopg.connect(_dsn(environment), autocommit=True) as connection:
        connection.execute("CREATE UNLOGGED TABLE filler AS SELECT generate_series(1, 6200000)")  # 36 bytes each
    yield
    with psycopg.connect(_dsn(environment), autocommit=True) as connection:
        connection.execute("DROP TABLE filler")


def _dsn(environment: Environment) -> str:
    return environment.urls["user"].replace("+psycopg", "")


@contextmanager
def _event_stopped(environment: Environment) -> Iterator[None]:
    with psycopg.connect(_dsn(environment), autocommit=True) as connection:
        connection.execute("INSERT INTO stopped_events VALUES (0, 'a test', 'refused by the test', 0, NULL, NULL)")
    yield
    given = {"APP_DATABASE_URL": environment.urls["user"]}
    code, output = console(given, "outbox", "skip", "0", "--because", "a test's own")
    assert code == 0, output


@contextmanager
def _postgres_stopped(environment: Environment) -> Iterator[None]:
    environment.postgres.stop()
    yield
    environment.postgres.start()


@contextmanager
def _volume_full(environment: Environment) -> Iterator[None]:
    assert environment.volume, "no small volume is mounted"
    filler = environment.volume / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (shutil.disk_usage(environment.volume).free // MIB - 5) * MIB)
    yield
    filler.unlink()


def _held(environment: Environment, *arguments: str) -> None:
    code, output = console({"APP_DATABASE_URL": environment.urls["notification"]}, "held", *arguments)
    assert code == 0, output


@contextmanager
def _letters(environment: Environment) -> Iterator[None]:
    _publish(environment, [_nonsense()] * (CEILING * 3 // 5))
    yield
    _held(environment, "discard", "--state", "dead", "--yes", "--acknowledge", "--reason", "written by the test")


@contextmanager
def _flood(environment: Environment) -> Iterator[None]:
    _publish(environment, [_nonsense()] * (CEILING * 2))
    yield
    environment.system.kill("notification")  # it has ended by itself
    environment.system.start("patient")
    environment.system.wait_ready(READY_S, "patient")


@contextmanager
def _state_that_cannot_be_stored(environment: Environment) -> Iterator[None]:
    record = publisher.records(registered(PARKED_USER))[STATE]
    user_id = (record.key or b"").decode()
    _sqlite(
        environment,
        f"CREATE TRIGGER test BEFORE INSERT ON replica WHEN NEW.user_id = '{user_id}' "  # our own
        "BEGIN SELECT RAISE(ABORT, 'refused by the test'); END",
    )
    _publish(environment, [record])
    yield
    _sqlite(environment, "DROP TRIGGER test")
    _held(environment, "retry", "--state", "parked", "--yes")


@contextmanager
def _clock_ahead(environment: Environment) -> Iterator[None]:
    environment.clock.set(3600)
    yield
    environment.clock.set(0)


@contextmanager
def _database_locked(environment: Environment) -> Iterator[None]:
    # Not a stopped process: records that it applies before two scrapes appear in no rate of a short window.
    with _notification_database(environment) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


@contextmanager
def _entry_changed(environment: Environment) -> Iterator[None]:
    _sqlite(environment, "UPDATE entries SET ts_ms = ts_ms + 1 WHERE position = 2", service="audit")
    yield
    _sqlite(environment, "UPDATE entries SET ts_ms = ts_ms - 1 WHERE position = 2", service="audit")


def _sqlite(environment: Environment, statement: str, service: str = "notification") -> None:
    with _database(environment, service) as database:
        database.execute(statement)


def _notification_database(environment: Environment) -> contextlib.closing[sqlite3.Connection]:
    return _database(environment, "notification")


def _database(environment: Environment, service: str) -> contextlib.closing[sqlite3.Connection]:
    path = environment.urls[service].removeprefix("sqlite:///")
    return contextlib.closing(sqlite3.connect(path, timeout=READY_S, isolation_level=None))


@contextmanager
def _notice_without_state(environment: Environment) -> Iterator[None]:
    records = publisher.records(registered(EARLY_USER))
    _publish(environment, [records[NOTICE]])
    yield
    _publish(environment, [records[STATE]])


def _nonsense() -> Outgoing:
    return Outgoing(USER_NOTICES.name, b"nobody", b"no event", [])


def _publish(environment: Environment, records: Sequence[Outgoing]) -> None:
    producer = Producer(environment.kafka, "alerts")
    producer.publish(records)
    producer.close()


# Faults of a phase are concurrent. The slowest to clear come first: an SLO ticket has a window of 2 h, here 144 s.
PHASES: tuple[tuple[Fault, ...], ...] = (
    (
        Fault(
            what="the table of users is locked",
            inject=_table_locked,
            leaves={"ApiLatencyBudgetBurn": "user"},
            at_least_s=6,
        ),
        Fault(
            what="notification's database is locked",
            inject=_database_locked,
            leaves={"EventToEffectBudgetBurn": "notification"},
            at_least_s=25,
        ),
        Fault(
            what="notification hangs",
            inject=_stopped("notification"),
            raises={
                "ServiceDown": "notification",
                "GroupWithoutMembers": "notification",
                "ConsumerLagging": "notification",
            },
            # Not shorter than the lock, behind which it would not become ready. Alertmanager waits 10 s for others of
            # its group before it sends the mail.
            at_least_s=25,
        ),
        Fault(what="audit hangs", inject=_stopped("audit"), raises={"AuditBehind": "audit"}),
        Fault(
            what="a user process is killed, the other runs",
            inject=_killed("user-2"),
            raises={"ReplicaDown": "user"},
        ),
        Fault(what="the broker refuses an event", inject=_event_stopped, raises={"EventsStopped": "user"}),
        Fault(what="200 MB more in user's database", inject=_large_database, raises={"DatabaseLarge": "user"}),
    ),
    (
        Fault(
            what="PostgreSQL stops",
            inject=_postgres_stopped,
            raises={
                "ApiAvailabilityBudgetBurn": "user",
                "DatabaseUnreachable": "user",
                "ConsumerPaused": "user",
                "RelayWithoutLease": "user",
            },
            at_least_s=8,
        ),
        Fault(
            what="the lag probe restarts three times",
            inject=_restarts,
            raises={"ServiceRestarting": "console"},
            may_raise={"LagProbeBlind": ""},
        ),
    ),
    (
        Fault(
            what="the mail sink is killed",
            inject=_killed("sink"),
            raises={"MailServerDown": "notification", "MailsWaiting": "notification"},
        ),
        Fault(
            what="records that are no events",
            inject=_letters,
            raises={"DeadRecordsHeld": "notification", "CeilingNear": "notification"},
        ),
        Fault(
            what="notification's database refuses a user",
            inject=_state_that_cannot_be_stored,
            raises={"KeysParked": "notification"},
        ),
        Fault(
            what="an audit entry is changed, and restored",
            inject=_entry_changed,
            raises={"AuditLogChanged": "audit"},
        ),
        Fault(
            what="a notice comes without its state",
            inject=_notice_without_state,
            raises={"NoticesWaiting": "notification"},
        ),
        Fault(
            what=f"audit's volume of {VOLUME_MB} MB fills", inject=_volume_full, raises={"DatabaseSpaceLow": "audit"}
        ),
    ),
    (
        Fault(
            what="the broker is killed",
            inject=_killed("broker"),
            raises={"BrokerUnreachable": "user", "OutboxOld": "user", "LagProbeBlind": ""},
        ),
        Fault(what="Prometheus finds no audit", inject=_not_found, raises={"ServiceGone": "audit"}),
    ),
    (
        Fault(what="more dead letters than the ceiling", inject=_flood, raises={"CeilingReached": "notification"}),
        Fault(what="audit's clock is an hour ahead", inject=_clock_ahead, raises={"ClockWrong": "audit"}),
    ),
)
# Alerts that one machine with one broker and no kubelet cannot raise; promtool tests them.
BY_PROMTOOL_ALONE = {
    "AuditWitnessOld": "a killed witness did not raise it beside the other faults of a phase; test_notary.py stops one",
    "AuditLogForked": "the notary compares before it signs; tests of the witness send it a fork, and read the counter",
    "AuditCheckpointOld": "the broker's end raises it too, before a witness is killed; test_notary.py has its figures",
    "AuditVerificationStalled": "no table is read by the verification alone; test_self_verification.py renames one",
    "PartitionsUnderReplicated": "one broker has no replicas to lose",
    "DeadLettersUnpublished": "no part can be broken that only letters need; test_held_kafka.py does without the topic",
    "MailsRefused": "the mail sink accepts every mail",
    "RelayPaused": "a pause counts after a quarter of an hour; test_relay_pause.py pauses a relay",
    "RowsNotDeleted": "rows are kept for weeks; test_forgetting.py reads its metric",
    "RelayHalted": "partitions cannot be removed again; test_kafka_offsets.py halts a relay",
    "KafkaCertificateExpires": "this broker has no TLS; test_certificate_watch.py reads the metric of one that has",
    "AllTokensRefused": "this system has no tokens; access/test_service.py reads the metric of one that has",
    "VolumeSpaceLow": "no kubelet reports volumes here",
    "VolumeFillsSoon": "no kubelet reports volumes here",
}
