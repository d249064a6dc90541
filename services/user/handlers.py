"""Executes groups of commands. A group is one transaction; its commands are decided in memory, one after the other."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from services.chassis.database.database import Database
from services.chassis.messages.clock import Clock
from services.chassis.messages.event import Metadata, NewEvent
from services.chassis.outbox import spans
from services.chassis.outbox.event_store import PendingEvents, appending
from services.chassis.outbox.record_size import EventTooLargeError, require_fit
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts import shapes
from services.contracts.catalog import TYPE_NAMES
from services.contracts.user import Fact, UserRegistered, UserState
from services.user import domain
from services.user.commands import Action, Answered, Command, Deactivate, Flag, Outcome, Register, Reply, Unflag
from services.user.domain import Because, RefusedError


class Rows(Protocol):
    """The rows that a group touches, changed in memory and written together; see `store.Rows`."""

    def user(self, user_id: str) -> UserState | None:
        """Return a user, with the changes of this group so far."""

    def owner(self, kind: str, key: str) -> str | None:
        """Return the user who has reserved a login or an email address."""

    def answered(self, key: str) -> Answered | None:
        """Return the stored reply of an idempotency key."""

    def put(self, user: UserState) -> None:
        """Replace a user, and its login and address."""

    def answer(self, key: str, answered: Answered) -> None:
        """Store a reply."""

    def write(self, now: datetime, /) -> None:
        """Write every change to the database."""


class Tools(msgspec.Struct, frozen=True):
    """Dependencies of the handlers of commands and bounces."""

    open_rows: Callable[[Connection, Sequence[Command]], Rows]
    new_id: Callable[[], str]
    clock: Clock


class CommandHandler:
    """Commits groups of commands; see `chassis.outbox.group_commit.Handler`. Sets `appended` after each commit."""

    def __init__(self, database: Database, tools: Tools, appended: threading.Event, telemetry: Telemetry) -> None:
        self._database = database
        self._tools = tools
        self._appended = appended
        self._tracing = telemetry.tracing

    def handle(self, commands: Sequence[Command]) -> list[Outcome]:
        """Return a reply or a refusal for each command, in order, once all are committed."""
        contexts = (command.metadata.traceparent for command in commands)
        with spans.appending(self._tracing, self._database.system, contexts), self._database.write() as connection:
            outcomes = commit_group(connection, commands, self._tools)
        self._appended.set()
        return outcomes


def commit_group(connection: Connection, commands: Sequence[Command], tools: Tools) -> list[Outcome]:
    """Execute a group in the caller's transaction."""
    with appending(connection, tools.clock()) as pending:
        return execute(connection, pending, commands, tools)


def execute(connection: Connection, pending: PendingEvents, commands: Sequence[Command], tools: Tools) -> list[Outcome]:
    """Execute a group whose caller has locked the event store: read its rows, decide, write."""
    rows = tools.open_rows(connection, commands)
    group = Group(rows, tools.new_id)
    outcomes = group.decide_all(commands)
    rows.write(pending.time)
    pending.events += group.events
    return outcomes


class Group:
    """Decides a group of commands on its rows and collects the events."""

    def __init__(self, rows: Rows, new_id: Callable[[], str]) -> None:
        self._rows = rows
        self._new_id = new_id
        self.events: list[NewEvent] = []

    def decide_all(self, commands: Sequence[Command]) -> list[Outcome]:
        """Return a reply or a refusal for each command, in order. A refused command leaves no trace."""
        return [self._decide(command) for command in commands]

    def _decide(self, command: Command) -> Outcome:
        try:
            if before := self._rows.answered(command.key):
                return _same(before, command)
            return self._accept(command, facts_of(command.action, self._rows))
        except RefusedError as refused:
            return refused

    def _accept(self, command: Command, facts: Sequence[Fact]) -> Reply:
        user_id = command.action.user_id
        user = self._rows.user(user_id)
        events = []
        for fact in facts:
            user = domain.evolve(user_id, user, fact)
            events.append(new_event(self._new_id(), user, fact, command.metadata))
        if user is None:
            raise ValueError(f"a command without facts for user {user_id}, who does not exist")
        refuse_large(events)
        if events:
            self._rows.put(user)
            self.events += events
        reply = Reply(user_id, user.version, command.metadata.correlation_id)
        self._rows.answer(command.key, Answered(command.fingerprint, reply))
        return reply


def facts_of(action: Action, rows: Rows) -> list[Fact]:
    """Return the facts that an action leads to. Raises RefusedError."""
    if isinstance(action, Register):
        refuse_taken(rows, "login", action.personal.login, action.user_id)
        refuse_taken(rows, "email", action.personal.email, action.user_id)
        return [UserRegistered(action.personal, action.preferences)]
    user = rows.user(action.user_id)
    if user is None:
        raise RefusedError(Because.NOT_FOUND, f"there is no user {action.user_id}")
    if isinstance(action, Flag):
        return domain.flag(user, action.email, action.reason)
    if isinstance(action, Unflag):
        return domain.unflag(user)
    domain.refuse_stale(user, action.expected)
    if isinstance(action, Deactivate):
        return domain.deactivate(user)
    facts = domain.change(user, action.changes)
    if action.changes.email is not None:
        refuse_taken(rows, "email", action.changes.email, action.user_id)
    return facts


def refuse_taken(rows: Rows, kind: str, text: str, user_id: str) -> None:
    """Raise RefusedError if another user has reserved a login or an address."""
    if rows.owner(kind, domain.key_of(text)) not in (None, user_id):
        raise RefusedError(Because.TAKEN, f"this {kind} is taken: choose another")


def refuse_large(events: Sequence[NewEvent]) -> None:
    """Raise RefusedError for an event that exceeds the record limit of its topic: it could never be published."""
    try:
        require_fit(events)
    except EventTooLargeError as error:
        raise RefusedError(Because.TOO_LARGE, f"{error}: send less") from None


def _same(before: Answered, command: Command) -> Reply:
    if before.fingerprint != command.fingerprint:
        detail = "this Idempotency-Key was used for another request: use a new key for a new request"
        raise RefusedError(Because.KEY_REUSED, detail)
    return before.reply


def new_event(event_id: str, user: UserState, fact: Fact, metadata: Metadata) -> NewEvent:
    """Return the event of a fact; `user` is the record after it."""
    shape = shapes.written_version(type(fact))
    return NewEvent(
        event_id=event_id,
        subject=user.user_id,
        version=user.version,
        type=TYPE_NAMES[type(fact)],
        data=shapes.written(fact).decode(),
        metadata=metadata if shape == metadata.shape else msgspec.structs.replace(metadata, shape=shape),
        state=msgspec.json.encode(user).decode(),
    )
