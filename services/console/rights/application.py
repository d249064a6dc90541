"""Applies the table to a broker: topics, rights, and users last, so that nobody logs in before its rights exist."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import msgspec

from services.chassis.kafka.access.acls import AccessAdmin, Acl
from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.console.failures import RightsError, UsageError
from services.console.rights import logins
from services.console.rights.table import Difference, Table, difference, of_others, of_ours, open_to_everybody
from services.console.settings import ConsoleSettings
from services.console.topics import ensure, waiting
from services.contracts.access import ADMINISTRATOR, PRINCIPALS

NAME = "rights"
NO_LOGIN = (
    "APP_RIGHTS_PASSWORDS needs a listener with logins, which is asked as each user: write "
    "APP_KAFKA_SECURITY_PROTOCOL=sasl_plaintext or sasl_ssl"
)
DECIDES_OTHERWISE = (
    "the rights are set, and the broker decides otherwise: does another administrator change them, or is "
    "allow.everyone.if.no.acl.found not false on the broker?"
)
Write = Callable[[str], None]


class Request(msgspec.Struct, frozen=True):
    """The table, the broker with the administrator's login, and passwords of principals."""

    table: Table
    client: ConsoleSettings
    passwords: Mapping[str, str]


class NotYetError(BrokerUnavailableError):
    """The broker decides otherwise than the table has it; it learns new users and rights after a moment."""


def apply(request: Request, write: Write, wait: Write) -> None:
    """Give the broker what it lacks, remove what our principals have beyond, and ask it as each user.

    `wait` gets each new reason to wait. Raises RightsError if that cannot be done or has not led to the table, and what
    the broker's clients raise.
    """
    if request.passwords and not request.client.logs_in:
        raise UsageError(NO_LOGIN)
    admin, deadline = AccessAdmin(request.client, NAME), request.client.deadline
    waiting(admin.require, deadline, wait)
    found = _found(request.table, admin, write)
    # Its own come first, because with them an administrator that is no super user creates the topics.
    admin.add(row for row in found.missing if row.principal == request.table.principal(ADMINISTRATOR))
    created = ensure(KafkaAdmin(request.client, NAME), deadline, wait)
    write(f"topics: {_list('created', created) or 'all are there'}")
    _set_rights(request.table, found, admin, write)
    if request.passwords:
        _set_users(request, admin, write)
        try:
            waiting(partial(_ask, request), deadline, wait)
        except NotYetError as error:
            raise RightsError(f"{error}\n{DECIDES_OTHERWISE}") from error
        write(f"asked as {len(request.passwords)} users: each may do what the table has, and nothing else")


def check(request: Request, write: Write, wait: Write) -> bool:
    """Change nothing; write what differs from the table, and return whether nothing does. Raises as `apply`."""
    admin, table = AccessAdmin(request.client, NAME), request.table
    waiting(admin.require, request.client.deadline, wait)
    found = _found(table, admin, write)
    lines = [f"missing: {row.text()}" for row in sorted(found.missing)]
    lines += [f"beyond the table: {row.text()}" for row in sorted(found.beyond)]
    refused = logins.refused(request.client, table, request.passwords)
    lines += [f"user {table.login(name)} cannot log in with its password" for name in refused]
    others = {name: text for name, text in request.passwords.items() if name not in refused}
    lines += waiting(partial(logins.problems, request.client, table, others), request.client.deadline, wait)
    for line in lines:
        write(line)
    write(f"rights: {len(table.rows())} rows, asked as {len(others)} users, {len(lines)} differences")
    return not lines


def _found(table: Table, admin: AccessAdmin, write: Write) -> Difference:
    rows = admin.rights()
    if everybody := open_to_everybody(table, rows):
        raise RightsError(_with_advice(everybody, "this is open to everybody, whatever the table has"))
    if denied := [row for row in of_ours(table, rows) if not row.allow]:
        raise RightsError(_with_advice(denied, "somebody denied this on purpose, so it is not removed here"))
    for row in of_others(table, rows):
        write(f"note: {row.text()}, and the table has no such user; it is left as it is")
    return difference(table, rows)


def _set_rights(table: Table, found: Difference, admin: AccessAdmin, write: Write) -> None:
    admin.add(found.missing)
    admin.remove(found.beyond)
    write(f"rights: {len(table.rows())} rows, {len(found.missing)} added, {len(found.beyond)} removed")
    for row in sorted(found.beyond):
        write(f"  removed: {row.text()}")


def _set_users(request: Request, admin: AccessAdmin, write: Write) -> None:
    table, passwords = request.table, request.passwords
    new = logins.refused(request.client, table, passwords)
    admin.admit({table.login(name): passwords[name] for name in new})
    write(f"users: {_list('set', map(table.login, new)) or 'all can log in with their passwords'}")
    if others := [table.login(name) for name in PRINCIPALS if name not in passwords]:
        write(f"  left alone, as there is no file with a password: {', '.join(others)}")


def _ask(request: Request) -> None:
    if problems := logins.problems(request.client, request.table, request.passwords):
        raise NotYetError("\n".join(problems))


def _with_advice(rows: list[Acl], reason: str) -> str:
    return "\n".join([*(row.text() for row in rows), f"{reason}: remove it with `kafka-acls --remove`, then try again"])


def _list(verb: str, names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"{verb} {listed}" if listed else ""
