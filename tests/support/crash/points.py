"""Crash points: the durable steps at which the sweep kills a process, and those that it leaves out, with the reason."""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class Reach(Enum):
    """How a process gets to its step."""

    START = "start"
    LOAD = "requests"
    STOP = "orderly stop"
    OPERATOR = "pause and resume of the relay"
    POISON = "a record that cannot be decoded"
    RETRY = "retry of a dead record"
    NEWER = "a record of a newer version"
    PARKED = "a start with a parked record"
    LETTER = "a letter that the broker refuses"
    REFUSED = "retry of an event that the broker refuses again"
    TAKEN = "retry of an event that the broker refused"
    FORGETTING = "short ages of old rows"
    REBUILD = "rebuild"
    RESTORE = "restore of a lost database"


class Point(NamedTuple):
    """A durable step, the program that gets there, and how. A command has its arguments, and others go before it."""

    part: str
    step: str
    program: str
    reach: Reach
    arguments: tuple[str, ...] = ()
    first: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        """A short name, of program, class and function."""
        return f"{self.program} {self.step.rpartition(':')[2]}"


class Elsewhere(NamedTuple):
    """A durable step at which a test of its own kills the process, or where a crash cannot do harm."""

    step: str
    why: str
    test: str = ""


OUTBOX, CONSUMER, HELD = "services.chassis.outbox", "services.chassis.consumer", "services.chassis.consumer.held"
NOTARY, PROJECTION = "services.audit.notary", "services.chassis.projection"
MAIL = "services.notification.mail"
USERS, REPLICA = ("rebuild", "users"), ("rebuild", "replica")
PUBLICATION = f"{NOTARY}.publication"

POINTS = (
    Point("start", "services.chassis.database.migrations:upgrade", "user", Reach.START),
    Point("group commit", "services.user.handlers:CommandHandler.handle", "user", Reach.LOAD),
    Point("relay", f"{OUTBOX}.lease:Leases.take", "user", Reach.START),
    Point("relay", f"{OUTBOX}.lease:Leases.renew", "user", Reach.LOAD),
    Point("relay", f"{OUTBOX}.event_publisher:EventPublisher._send", "user", Reach.LOAD),
    Point("relay", f"{OUTBOX}.event_publisher:EventPublisher._pass", "user", Reach.LOAD),
    Point("relay", f"{OUTBOX}.event_publisher:EventPublisher._send", "notification", Reach.LOAD),
    Point("relay", f"{OUTBOX}.lease:Leases.give_back", "user", Reach.STOP),
    Point("relay", f"{OUTBOX}.event_publisher:EventPublisher._retry", "user", Reach.REFUSED),
    Point("relay", f"{OUTBOX}.event_publisher:EventPublisher._retry#2", "user", Reach.TAKEN),
    Point("operators' events", f"{OUTBOX}.operator_relay:OperatorRelay.publish", "user", Reach.OPERATOR),
    Point("operators' events", f"{OUTBOX}.operator_relay:OperatorRelay.publish#2", "user", Reach.OPERATOR),
    Point("consumer", f"{CONSUMER}.batch_processor:BatchProcessor._commit", "notification", Reach.LOAD),
    Point("consumer", f"{CONSUMER}.loop:Consumer._hint", "notification", Reach.LOAD),
    Point("consumer", "services.chassis.database.forgetting:Forgetting._chunk", "notification", Reach.FORGETTING),
    Point("sender", "services.notification.mail_queue:MailQueue.claim", "notification", Reach.LOAD),
    Point("sender", f"{MAIL}.smtp_delivery:_deliver", "notification", Reach.LOAD),
    Point("sender", f"{MAIL}.smtp_delivery:_deliver#2", "notification", Reach.LOAD),
    Point("sender", "services.notification.mail_queue:MailQueue._settle", "notification", Reach.LOAD),
    Point("held records", f"{HELD}.letter_relay:LetterRelay._send", "notification", Reach.POISON),
    Point("held records", f"{HELD}.letter_relay:LetterRelay._send#2", "notification", Reach.POISON),
    Point("held records", f"{CONSUMER}.retries:Retries._apply", "notification", Reach.RETRY),
    Point("held records", f"{HELD}.letter_relay:LetterRelay._refused", "notification", Reach.LETTER),
    Point("held records", f"{CONSUMER}.batch_processor:BatchProcessor._park", "notification", Reach.NEWER),
    Point("held records", f"{CONSUMER}.retries:Retries._request_parked", "notification", Reach.PARKED),
    Point("held records", f"{CONSUMER}.retries:Retries._failed", "notification", Reach.PARKED),
    Point("audit", "services.audit.store:create_log", "audit", Reach.START),
    Point("audit", f"{CONSUMER}.batch_processor:BatchProcessor._commit", "audit", Reach.LOAD),
    Point("notary", f"{NOTARY}.notary:Notary._signed", "audit", Reach.LOAD),
    Point("notary", f"{NOTARY}.notary:Notary._cosigned", "audit", Reach.LOAD),
    Point("notary", f"{PUBLICATION}:Publication._to_topic", "audit", Reach.LOAD),
    Point("notary", f"{PUBLICATION}:to_file", "audit", Reach.LOAD),
    Point("notary", f"{PUBLICATION}:replace", "audit", Reach.LOAD),
    Point("notary", f"{PUBLICATION}:replace#2", "audit", Reach.LOAD),
    Point("notary", f"{NOTARY}.notary:Notary.step", "audit", Reach.LOAD),
    Point("witness", "services.witness.bootstrap:_add_logs", "witness", Reach.START),
    Point("witness", "services.witness.handlers:Witness.add", "witness", Reach.LOAD),
    Point("rebuild", f"{PROJECTION}.rebuild:Rebuild.fill", "user", Reach.REBUILD, USERS),
    Point("rebuild", f"{PROJECTION}.rebuild:Rebuild._catch_up", "user", Reach.REBUILD, USERS),
    Point("rebuild", f"{PROJECTION}.rebuild:Rebuild.fill#2", "user", Reach.REBUILD, USERS),
    Point("rebuild", f"{PROJECTION}.rebuild:Rebuild.swap", "user", Reach.REBUILD, USERS),
    Point("rebuild", f"{PROJECTION}.rebuild:Rebuild.abandon", "notification", Reach.REBUILD, (*REPLICA, "--check")),
    Point("rebuild", f"{PROJECTION}.command:_drop", "user", Reach.REBUILD, (*USERS, "--drop-old"), (USERS,)),
    Point("rebuild", f"{PROJECTION}.command:_abandon", "user", Reach.REBUILD, (*USERS, "--abandon")),
    Point("restore", f"{OUTBOX}.lease:Leases.take", "user", Reach.RESTORE),
    Point("restore", "services.user.restore.restorer:Restorer._writing", "user", Reach.RESTORE),
    Point("restore", f"{OUTBOX}.lease:Leases.give_back", "user", Reach.RESTORE),
    Point("restore", "services.notification.store.restore:restore", "notification", Reach.RESTORE),
    Point("restore", "services.notification.store.restore:restore#2", "notification", Reach.RESTORE),
)
WITHIN = "within another step, which has points"
ONE = "one transaction of an operator's command: it is carried out or not, and the command shows which"
DIALOGUE = "a mail server takes no mail before the content has ended"
EXPORT = "tests/integration/console/test_export.py"
ELSEWHERE = (
    Elsewhere("services.chassis.database.database:Database.write", WITHIN),
    Elsewhere(f"{OUTBOX}.lease:Leases.writing", WITHIN),
    Elsewhere(f"{OUTBOX}.lease:Leases.advance", "no service calls it: `_pass` of the publisher moves the cursor"),
    Elsewhere("services.chassis.kafka.producer:Producer._send", WITHIN),
    Elsewhere("services.chassis.kafka.group_consumer:GroupConsumer.commit", WITHIN),
    Elsewhere("services.notification.mail.smtp_connection:Client.getreply", WITHIN),
    *(Elsewhere(f"{MAIL}.smtp_delivery:_announce{number}", DIALOGUE) for number in ("", "#2", "#3", "#4")),
    Elsewhere("services.chassis.database.health_check:DatabaseHealthCheck._write", "it stores nothing"),
    Elsewhere(f"{PROJECTION}.rebuild:Rebuild._carry", "rows that the log no longer has, into tables that `fill` made"),
    Elsewhere("services.user.rebuild_check:_put_on_record", ONE),
    Elsewhere("services.user.flags.contact_flags:ContactFlags._clear_group", ONE),
    Elsewhere("services.console.outbox.relay:republish", ONE),
    Elsewhere("services.console.outbox.relay:_act", ONE),
    Elsewhere("services.console.outbox.stopped:_retry", ONE),
    Elsewhere("services.console.outbox.stopped:_skip", ONE),
    *(
        Elsewhere(f"services.user.as_of.builder:{step}", "a database for one question, dropped and built again")
        for step in ("tables", "tables#2", "build")
    ),
    Elsewhere("services.chassis.transparency.key_file:make", "a new file, once: an unfinished one is refused"),
    Elsewhere("services.console.export.run:Run.run", WITHIN),
    Elsewhere("services.console.export.run:Run._write", WITHIN),
    *(
        Elsewhere(f"services.console.export.files:{step}", "killed at each of its steps", EXPORT)
        for step in ("Files.commit", "Files.name_data", "_sync", "_sync_folder")
    ),
    Elsewhere("services.audit.export.writer:replacing", "killed halfway", "tests/integration/audit/test_export.py"),
    Elsewhere(
        "services.audit.restore.command:_apply", "killed halfway, and goes on", "tests/faults/test_reader_restores.py"
    ),
    Elsewhere(
        "services.audit.restore.from_export:_append",
        "killed before and after its first commit, and goes on",
        "tests/integration/audit/test_restore_export.py",
    ),
    Elsewhere(
        f"{NOTARY}.notary:Notary._with_our_signature",
        "a checkpoint that nobody has seen is signed again with the new key; each start compares and repeats it",
    ),
    Elsewhere("services.console.held.actions:_in_chunks", "killed halfway", "tests/faults/test_retry_kills.py"),
)


def rows() -> Iterator[str]:
    """Return the lines of the table in docs/reliability.md, one for each part and program."""
    for part, program in dict.fromkeys((one.part, one.program) for one in POINTS):
        mine = [one for one in POINTS if (one.part, one.program) == (part, program)]
        steps = ", ".join(f"`{one.step.rpartition(':')[2]}`" for one in mine)
        yield f"| {part} | {program} | {steps} | {', '.join(dict.fromkeys(one.reach.value for one in mine))} |\n"
