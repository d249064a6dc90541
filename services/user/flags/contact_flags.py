"""Clears the flags of addresses: of some users, or all that were set since a moment, after a mail server's mistake.

Each cleared flag is an event. Mails that were suppressed meanwhile are not sent later.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from services.chassis.database.database import Database
from services.chassis.messages.clock import to_micros
from services.chassis.messages.event import Metadata
from services.chassis.outbox import operator_events
from services.chassis.outbox.event_store import appending, events
from services.chassis.outbox.operator_events import Action, Operator
from services.contracts.catalog import TYPE_NAMES
from services.contracts.user import ContactFlagged
from services.user.commands import Command, Unflag
from services.user.domain import RefusedError
from services.user.handlers import Tools, execute

GROUP = 128  # users of one transaction: the service's own commands wait for it


class Cleared(msgspec.Struct, frozen=True):
    """The users whose flags were cleared, and a line for each user who is not known."""

    users: list[str]
    refused: list[str]


class ContactFlags(msgspec.Struct, frozen=True):
    """The flags in the service's database, and the operator who clears them."""

    database: Database
    tools: Tools
    operator: Operator

    def since(self, moment: datetime) -> list[str]:
        """Return the users who were flagged at a moment or later, also those whose flag is gone by now."""
        flagged = (events.c.type == TYPE_NAMES[ContactFlagged]) & (events.c.time >= to_micros(moment))
        users = select(events.c.subject).where(flagged).distinct().order_by(events.c.subject)
        with self.database.read() as connection:
            return list(connection.scalars(users))

    def clear(self, users: Sequence[str], correlation_id: str) -> Cleared:
        """Clear the flags of users who have one; every event has the correlation id. Raises SQLAlchemyError."""
        cleared = Cleared([], [])
        for start in range(0, len(users), GROUP):
            self._clear_group(users[start : start + GROUP], Metadata(correlation_id), cleared)
        return cleared

    def _clear_group(self, given: Sequence[str], metadata: Metadata, cleared: Cleared) -> None:
        commands = [Command(Unflag(user), self.tools.new_id(), b"", metadata) for user in given]
        with self.database.write() as connection, appending(connection, self.tools.clock()) as pending:
            outcomes = execute(connection, pending, commands, self.tools)
            users = [event.subject for event in pending.events]
            self._put_on_record(connection, users, metadata.correlation_id)
        cleared.users.extend(users)
        cleared.refused.extend(str(outcome) for outcome in outcomes if isinstance(outcome, RefusedError))

    def _put_on_record(self, connection: Connection, users: Sequence[str], correlation_id: str) -> None:
        if users:
            what = Action(
                name="flags.clear", selection=", ".join(users), count=len(users), correlation_id=correlation_id
            )
            operator_events.record(connection, what, self.operator, self.tools.clock())
