"""Logins of the principals: which work already, and what the broker allows each."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from services.chassis.kafka.access.authorized import authorized
from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.console.rights.table import Table, wrong_operations
from services.console.settings import ConsoleSettings
from services.contracts.access import MECHANISM

LOGIN_S = 3.0  # so long a login may take; a refused one takes all of it
Passwords = Mapping[str, str]
T = TypeVar("T")


def as_principal(client: ConsoleSettings, table: Table, principal: str, password: str) -> ConsoleSettings:
    """Return the settings of a client that logs in as a principal, at the same listener."""
    login = table.login(principal)
    return replace(client, kafka_sasl_mechanism=MECHANISM, kafka_user=login, kafka_password=password)


def refused(client: ConsoleSettings, table: Table, passwords: Passwords) -> list[str]:
    """Return the principals that cannot log in with their passwords."""

    def is_refused(settings: ConsoleSettings) -> bool:
        try:
            KafkaAdmin(settings, "login").reach(LOGIN_S)
        except BrokerUnavailableError:
            return True
        return False

    found = _each(is_refused, client, table, passwords)
    return [name for name, is_so in found.items() if is_so]


def problems(client: ConsoleSettings, table: Table, passwords: Passwords) -> list[str]:
    """Ask the broker as each principal what it may do; return a line for each difference from the table.

    Raises BrokerUnavailableError.
    """
    found = _each(lambda settings: authorized(settings, table.topics(), table.groups()), client, table, passwords)
    lines = [line for name, operations in found.items() for line in wrong_operations(table, name, operations)]
    return list(dict.fromkeys(lines))


def _each(
    ask: Callable[[ConsoleSettings], T], client: ConsoleSettings, table: Table, passwords: Passwords
) -> dict[str, T]:
    with ThreadPoolExecutor(len(passwords) or 1) as pool:
        clients = [as_principal(client, table, name, password) for name, password in passwords.items()]
        return dict(zip(passwords, pool.map(ask, clients), strict=True))
