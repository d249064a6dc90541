"""A whole local system whose databases are lost and built again from its topics: what it has, and what it did."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import msgspec
from sqlalchemy import text

from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.messages.event import Metadata
from services.chassis.messages.ids import new_id
from services.chassis.messages.record import TopicPartition
from services.console.lag import partitions
from services.contracts.catalog import EVENT_TOPICS, NOTIFICATION_EVENTS, USER_EVENTS, USER_NOTICES, USER_STATE
from services.contracts.user import Personal, Preferences
from services.user import bootstrap, handlers, store
from services.user.as_of import canonical
from services.user.commands import Change, Command, Register
from services.user.domain import Changes
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Process, Program
from services.workbench.local.sink import AddedLines, Mail
from services.workbench.local.system import MAILS, System
from services.workbench.polling import until
from tests.support.killed import KILLED

VERSIONS = 10  # of each user
MOVES = 5  # the version with another address: a mail to either address
EVERY_OPTED_IN = 10
GROUP = 200
PATIENCE_S = 600.0
PUBLISHED = (USER_EVENTS.name, USER_STATE.name, USER_NOTICES.name, NOTIFICATION_EVENTS.name)
# Rows that must be equal after a replay. Left out is what depends on when it was done, and what no topic has:
# the mail server's reply, and to whom a suppressed mail would have gone.
CONTENTS = {
    "user": ("SELECT * FROM users", "SELECT * FROM reservations", "SELECT * FROM events"),
    "notification": (
        "SELECT * FROM replica",
        "SELECT user_id, version, email FROM addresses",
        "SELECT notification_id, notice_id, template, recipient, user_version, tries FROM intents WHERE tries > 0",
        "SELECT notification_id, notice_id, template, user_version, event_id, state FROM intents",
        "SELECT * FROM events",
    ),
    "audit": ('SELECT topic, topic_id, partition, "offset", ts_ms, "key", value, headers, chain FROM entries',),
}
READS = {
    "user": (NOTIFICATION_EVENTS.name,),
    "notification": (USER_STATE.name, USER_NOTICES.name),
    "audit": tuple(topic.name for topic in EVENT_TOPICS),
}
UNFINISHED = {
    "user": "SELECT counter.last_sequence - relay.cursor FROM counter, relay",
    "notification": (
        "SELECT counter.last_sequence - relay.cursor + (SELECT count(*) FROM intents WHERE state = 'open')"
        " + (SELECT count(*) FROM waiting) FROM counter, relay"
    ),
}


class Effects(msgspec.Struct, frozen=True):
    """Records by topic, and mails; so many since an earlier look after a subtraction."""

    records: dict[str, int]
    mails: int

    def __sub__(self, other: "Effects") -> "Effects":
        return Effects(
            {name: self.records[name] - other.records[name] for name in self.records}, self.mails - other.mails
        )


class Replayed:
    """The parts of a system in a folder."""

    def __init__(self, programs: Sequence[Program], client: KafkaSettings, folder: Path) -> None:
        self.system = System(programs)
        self._programs = {program.name: program for program in programs}
        self._folder = folder
        self._admin = KafkaAdmin(client, "test")
        self._inbox = AddedLines(folder / MAILS)
        self.mails: list[Mail] = []

    def database(self, service: str) -> Database:
        """Return a service's database."""
        return Database(self.url_of(service))

    def url_of(self, database: str) -> str:
        """Return the URL of a database in the folder."""
        return f"sqlite:///{self._folder / database}.db"

    def users(self) -> str:
        """Return the checksum of users and reservations that docs/as-of.md defines."""
        database = self.database("user")
        with database.read() as connection:
            found = canonical.summary(connection).sha256
        database.close()
        return found

    def fill(self, number: int) -> str:
        """Let the user service's handlers write so many events. Returns the user of the last one, who gets mail."""
        database = self.database("user")
        migrations.upgrade(database, bootstrap.REVISIONS)
        users = [new_id() for _ in range(number // VERSIONS)]
        commands = _commands(users)
        while group := list(islice(commands, GROUP)):
            with database.write() as connection:
                handlers.commit_group(connection, group, handlers.Tools(store.Rows, new_id, utc_now))
        database.close()
        return users[-1]

    def lose(self, service: str) -> None:
        """Delete a service's database."""
        for file in self._folder.glob(f"{service}.db*"):
            file.unlink()

    def contents(self, service: str) -> set[bytes]:
        """Return a digest of each row that a replay must give again."""
        database, found = self.database(service), set()
        with database.read() as connection:
            for query in CONTENTS[service]:
                rows = connection.execute(text(query), execution_options={"yield_per": 1000})
                found |= {hashlib.sha256(repr(tuple(row)).encode()).digest() for row in rows}
        database.close()
        return found

    def await_idle(self, *services: str) -> None:
        """Wait until services have published, consumed and sent all."""
        for one in services:
            until(f"{one} has done all", lambda one=one: self._left(one), lambda left: left == 0, PATIENCE_S)  # type: ignore[misc]

    def await_published(self, service: str, events: int) -> None:
        """Wait until the last of so many events has been published."""
        until("it is published", lambda: self._scalar(service, "SELECT cursor FROM relay"), events.__eq__, PATIENCE_S)

    def effects(self) -> Effects:
        """Return what was published and sent until now."""
        ends = self._ends()
        self.mails += [msgspec.json.decode(line, type=Mail) for line in self._inbox.read()]
        records = {name: sum(end for place, end in ends.items() if place.topic == name) for name in PUBLISHED}
        return Effects(records, len(self.mails))

    def ends(self, topic: str) -> dict[TopicPartition, int]:
        """Return the ends of a topic's partitions."""
        return {place: end for place, end in self._ends().items() if place.topic == topic}

    def url(self, service: str) -> str:
        """Return the address of a service's API."""
        return f"http://{HOST}:{self._programs[service].environment['APP_HTTP_PORT']}"

    def command(self, *arguments: str, through: Sequence[str] = ()) -> tuple[int, str]:
        """Run a command of the user service, maybe through another program. Returns the exit code and the output."""
        environment = self._programs["user"].environment
        argv = (sys.executable, "-m", *through, "services.user", *arguments)
        return _done(argv, environment)

    def verify_audit(self) -> tuple[int, str]:
        """Let the audit service check its own log. Returns the exit code and the output."""
        return _done((sys.executable, "-m", "services.audit", "verify"), self._programs["audit"].environment)

    def run_until_killed(self, through: Sequence[str], *services: str) -> None:
        """Run services through a program that kills them."""
        programs = [self._programs[name] for name in services]
        run = [Process(msgspec.structs.replace(one, argv=(*one.argv[:2], *through, *one.argv[2:]))) for one in programs]
        for process in run:
            code = until("it has killed itself", process.exit_code, lambda code: code is not None, PATIENCE_S)
            assert code == KILLED, process.program.log.read_text()[-3000:]

    def _ends(self) -> dict[TopicPartition, int]:
        return self._admin.ends(partitions())

    def _left(self, service: str) -> int:
        ends = sum(end for place, end in self._ends().items() if place.topic in READS[service])
        unfinished = self._scalar(service, UNFINISHED[service]) if service in UNFINISHED else 0
        return ends - self._scalar(service, "SELECT sum(next_offset) FROM progress") + unfinished

    def _scalar(self, service: str, query: str) -> int:
        database = self.database(service)
        with database.read() as connection:
            found = int(connection.scalar(text(query)) or 0)
        database.close()
        return found


def _done(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def _commands(users: Sequence[str]) -> Iterator[Command]:
    for version in range(1, VERSIONS + 1):
        for number, user_id in enumerate(users):
            action = _register(user_id, number, len(users)) if version == 1 else _change(user_id, number, version)
            yield Command(action, new_id(), b"", Metadata(f"command-{number}-{version}"))


def _register(user_id: str, number: int, users: int) -> Register:
    wants_mail = (users - 1 - number) % EVERY_OPTED_IN == 0  # the last one does
    person = Personal(f"user{number}", f"user{number}@example.org", "Ada Lovelace", "en")
    return Register(user_id, person, Preferences(email=wants_mail))


def _change(user_id: str, number: int, version: int) -> Change:
    moves = version == MOVES
    changes = Changes(email=f"moved{number}@example.org") if moves else Changes(full_name=f"Ada the {version}th")
    return Change(user_id, None, changes)
