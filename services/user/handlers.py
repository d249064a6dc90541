"""What happens to a group of commands: decided one by one in memory, against the rows that the group touches.

Plain functions of a command and what it needs; the transaction around them is `store`'s and `chassis`'s.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from services.chassis.messages.event import Metadata, NewEvent
from services.contracts.catalog import LARGEST_RECORD, TYPE_NAMES
from services.contracts.user import Fact, Personal, Preferences, UserRegistered, UserState
from services.user import domain
from services.user.domain import Because, Changes, RefusedError

LARGEST_VALUE = LARGEST_RECORD - 4096  # leaves room for key, headers and framing


class Register(msgspec.Struct, frozen=True):
    """Somebody wants to be a user. Texts are valid here and below."""

    user_id: str
    personal: Personal
    preferences: Preferences


class Change(msgspec.Struct, frozen=True):
    """A user wants to be different. `expected` is the version it was meant for, None for any."""

    user_id: str
    expected: int | None
    changes: Changes


class Deactivate(msgspec.Struct, frozen=True):
    """A user wants to act no more."""

    user_id: str
    expected: int | None


class Flag(msgspec.Struct, frozen=True):
    """Mail to an address bounced for good."""

    user_id: str
    email: str
    reason: str


Action = Register | Change | Deactivate | Flag


class Command(msgspec.Struct, frozen=True):
    """An action with its context. `key` makes it repeatable; `fingerprint` tells what it was first used for."""

    action: Action
    key: str
    fingerprint: bytes
    metadata: Metadata


class Reply(msgspec.Struct, frozen=True):
    """What a command led to."""

    user_id: str
    version: int
    correlation_id: str


class Answered(msgspec.Struct, frozen=True):
    """A reply that was given before, and to what."""

    fingerprint: bytes
    reply: Reply


class Touched(Protocol):
    """The rows that a group touches, in memory; see `store.Rows`."""

    def user(self, user_id: str) -> UserState | None:
        """Return a user as it is by now, within this group."""

    def owner(self, kind: str, key: str) -> str | None:
        """Return who holds a login or an address."""

    def answered(self, key: str) -> Answered | None:
        """Return the reply that an idempotency key stands for."""

    def put(self, user: UserState) -> None:
        """Replace a user, and its login and address."""

    def answer(self, key: str, answered: Answered) -> None:
        """Remember a reply."""


class Group:
    """A group of commands being decided: its rows, its events so far."""

    def __init__(self, touched: Touched, new_id: Callable[[], str]) -> None:
        self._touched = touched
        self._new_id = new_id
        self.events: list[NewEvent] = []

    def decide_all(self, commands: Sequence[Command]) -> list[Reply | RefusedError]:
        """Return a reply or a refusal for each command, in order. A refused command leaves no trace."""
        return [self._decide(command) for command in commands]

    def _decide(self, command: Command) -> Reply | RefusedError:
        try:
            if before := self._touched.answered(command.key):
                return _same(before, command)
            return self._accept(command, facts_of(command.action, self._touched))
        except RefusedError as refused:
            return refused

    def _accept(self, command: Command, facts: Sequence[Fact]) -> Reply:
        user_id = command.action.user_id
        user = self._touched.user(user_id)
        events = []
        for fact in facts:
            user = domain.evolve(user_id, user, fact)
            events.append(new_event(self._new_id(), user, fact, command.metadata))
        if user is None:
            raise ValueError(f"a command without facts for user {user_id}, who does not exist")
        refuse_large(events)
        if events:
            self._touched.put(user)
            self.events += events
        reply = Reply(user_id, user.version, command.metadata.correlation_id)
        self._touched.answer(command.key, Answered(command.fingerprint, reply))
        return reply


def facts_of(action: Action, touched: Touched) -> list[Fact]:
    """Return the facts that an action leads to. Raises RefusedError."""
    if isinstance(action, Register):
        refuse_taken(touched, "login", action.personal.login, action.user_id)
        refuse_taken(touched, "email", action.personal.email, action.user_id)
        return [UserRegistered(action.personal, action.preferences)]
    user = touched.user(action.user_id)
    if user is None:
        raise RefusedError(Because.NOT_FOUND, f"there is no user {action.user_id}")
    if isinstance(action, Flag):
        return domain.flag(user, action.email, action.reason)
    domain.refuse_stale(user, action.expected)
    if isinstance(action, Deactivate):
        return domain.deactivate(user)
    facts = domain.change(user, action.changes)
    if action.changes.email is not None:
        refuse_taken(touched, "email", action.changes.email, action.user_id)
    return facts


def refuse_taken(touched: Touched, kind: str, text: str, user_id: str) -> None:
    """Raise RefusedError where somebody else holds a login or an address."""
    if touched.owner(kind, domain.key_of(text)) not in (None, user_id):
        raise RefusedError(Because.TAKEN, f"this {kind} is taken: choose another")


def refuse_large(events: Sequence[NewEvent]) -> None:
    """Raise RefusedError for what no topic would take: it must not be committed, for it could never be published."""
    for event in events:
        size = max(len(event.data.encode()), len((event.state or "").encode()))
        if size > LARGEST_VALUE:
            detail = f"a {event.type} of {size} bytes is more than a record can hold ({LARGEST_VALUE}): send less"
            raise RefusedError(Because.TOO_LARGE, detail)


def _same(before: Answered, command: Command) -> Reply:
    if before.fingerprint != command.fingerprint:
        detail = "this Idempotency-Key was used for another request: use a new key for a new request"
        raise RefusedError(Because.KEY_REUSED, detail)
    return before.reply


def new_event(event_id: str, user: UserState, fact: Fact, metadata: Metadata) -> NewEvent:
    """Return the event of a fact; `user` is the record after it."""
    return NewEvent(
        event_id=event_id,
        subject=user.user_id,
        version=user.version,
        type=TYPE_NAMES[type(fact)],
        data=msgspec.json.encode(fact).decode(),
        metadata=metadata,
        state=msgspec.json.encode(user).decode(),
    )
