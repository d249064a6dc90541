"""The table of rights as rows of a broker's list, and what the broker has otherwise."""

from collections.abc import Iterable
from typing import NamedTuple

from services.chassis.kafka.access.acls import CLUSTER, EVERYBODY, Acl
from services.chassis.kafka.access.authorized import THE_CLUSTER, Operations
from services.contracts import access
from services.contracts.access import ADMINISTRATOR, GROUP, PRINCIPALS, TOPIC, Right
from services.contracts.catalog import TOPICS
from services.contracts.service_list import SERVICES

WILDCARD = "*"  # as a literal name it stands for every name
CHANGING = frozenset({"All", "Alter", "AlterConfigs", "Delete", "Write"})


class Table(NamedTuple):
    """The rights with the prefixes of principals and of groups."""

    prefix: str = access.PREFIX
    group_prefix: str = ""

    def rights(self) -> frozenset[Right]:
        """Return the single rights."""
        return access.rights(access.grants(self.group_prefix))

    def rows(self) -> frozenset[Acl]:
        """Return the rows of the broker's list."""
        return frozenset(
            Acl(self.principal(one.user), one.kind, one.name, one.operation, one.prefixed) for one in self.rights()
        )

    def login(self, principal: str) -> str:
        """Return the name with which a principal logs in."""
        return access.kafka_name(principal, self.prefix)

    def principal(self, name: str) -> str:
        """Return Kafka's name of a principal."""
        return f"User:{self.login(name)}"

    def principals(self) -> list[str]:
        """Return Kafka's names of all principals."""
        return [self.principal(name) for name in PRINCIPALS]

    def topics(self) -> list[str]:
        """Return the topics that rights are about."""
        return [topic.name for topic in TOPICS]

    def groups(self) -> list[str]:
        """Return a group for each right on groups: one that begins with the name of a prefixed one."""
        prefixed = sorted({one.name for one in self.rights() if one.kind == GROUP and one.prefixed})
        return [*(self.group_prefix + name for name in SERVICES), *(f"{name}0" for name in prefixed)]

    def operations(self, principal: str) -> dict[tuple[str, str], frozenset[str]]:
        """Return what a principal is to be authorized for, by topic, group and cluster."""
        resources = [*((TOPIC, name) for name in self.topics()), *((GROUP, name) for name in self.groups())]
        rights = self.rights()
        expected = {(kind, name): access.operations(rights, principal, kind, name) for kind, name in resources}
        return expected | {THE_CLUSTER: frozenset()}


class Difference(NamedTuple):
    """Rows that a broker lacks, and rows that it has beyond the table."""

    missing: frozenset[Acl]
    beyond: frozenset[Acl]


def difference(table: Table, found: Iterable[Acl]) -> Difference:
    """Compare the rows of our principals with the table; those of others are left out.

    The administrator's own rights on the cluster are left as they are: with them it does this.
    """
    rows = set(of_ours(table, found))
    kept = {row for row in rows if row.principal == table.principal(ADMINISTRATOR) and row.kind == CLUSTER}
    return Difference(table.rows() - rows, frozenset(rows - table.rows() - kept))


def of_ours(table: Table, rows: Iterable[Acl]) -> list[Acl]:
    """Return the rows of our principals."""
    principals = set(table.principals())
    return sorted(row for row in rows if row.principal in principals)


def of_others(table: Table, rows: Iterable[Acl]) -> list[Acl]:
    """Return rows worth a note: of users with our prefix whom the table lacks, and those that may change our topics."""
    others = set(rows) - set(of_ours(table, rows))
    return sorted(
        row
        for row in others
        if row.allow
        and (
            row.principal.startswith(table.principal(""))
            or (row.kind == TOPIC and row.operation in CHANGING and any(_covers(row, name) for name in table.topics()))
        )
    )


def open_to_everybody(table: Table, rows: Iterable[Acl]) -> list[Acl]:
    """Return the rows of `User:*` that allow something on a topic or group of ours, or on the cluster."""
    names = {TOPIC: table.topics(), GROUP: table.groups(), CLUSTER: [THE_CLUSTER[1]]}
    return sorted(
        row
        for row in rows
        if row.principal == EVERYBODY and row.allow and any(_covers(row, name) for name in names.get(row.kind, ()))
    )


def wrong_operations(table: Table, principal: str, found: Operations) -> list[str]:
    """Return a line for each operation that the broker allows a principal against the table, or refuses.

    The administrator may do more: in a broker of ours it is a super user.
    """
    lines = []
    for (kind, name), expected in table.operations(principal).items():
        has = found.get((kind, name))
        if has is None:
            lines.append(f"there is no {kind} {name}")
            continue
        extra = frozenset() if principal == ADMINISTRATOR else has - expected
        login = table.login(principal)
        lines += [f"user {login} may not {one} {kind} {name}" for one in sorted(expected - has)]
        lines += [f"user {login} may {one} {kind} {name}, which the table has not" for one in sorted(extra)]
    return lines


def _covers(row: Acl, name: str) -> bool:
    return name.startswith(row.name) if row.prefixed else row.name in {name, WILDCARD}
