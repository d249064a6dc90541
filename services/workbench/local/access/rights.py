"""Rights and users of the secured local broker, applied as `console rights` does."""

from collections.abc import Callable
from dataclasses import replace

from services.chassis.kafka.access.acls import AccessAdmin
from services.console.rights import application, passwords
from services.console.rights.application import Request
from services.console.rights.table import Table
from services.console.settings import ConsoleSettings
from services.contracts.access import ADMINISTRATOR, PRINCIPALS, kafka_name
from services.workbench.local.access.logins import BROKER, Logins

NAME = "rights"


def admit_administrator(internal: ConsoleSettings, logins: Logins) -> None:
    """Give the administrator its password, on the listener on which the broker itself logs in.

    A data folder that was formatted without access control, or with another password, does not know it.
    """
    own = replace(
        internal,
        kafka_security_protocol="sasl_plaintext",
        kafka_ca_file="",
        kafka_sasl_mechanism="PLAIN",
        kafka_user=BROKER,
        kafka_password=logins.broker_password(),
    )
    AccessAdmin(own, NAME).admit({kafka_name(ADMINISTRATOR): logins.password(ADMINISTRATOR)})


def apply(administrator: ConsoleSettings, logins: Logins, report: Callable[[str], None]) -> None:
    """Create topics, rights and users, and ask the broker as each user. Raises what `console rights` raises."""
    found = passwords.read(logins.passwords, PRINCIPALS)
    application.apply(Request(Table(), administrator, found), report, report)
