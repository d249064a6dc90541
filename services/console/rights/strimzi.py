"""The table as KafkaUser resources of Strimzi, whose operator then makes users and rights."""

import re
from collections.abc import Iterator
from itertools import groupby

from services.console.failures import UsageError
from services.console.rights.table import Table
from services.contracts.access import PRINCIPALS, Right

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z")  # of a resource of Kubernetes


def resources(table: Table, cluster: str) -> str:
    """Return a document of YAML for each principal. Raises UsageError for a name that Kubernetes does not take."""
    for name in (cluster, *map(table.login, PRINCIPALS)):
        if not NAME.match(name):
            raise UsageError(
                f"{name!r} cannot name a resource of Kubernetes: write lower-case letters, digits, . and -"
            )
    return "".join(f"---\n{''.join(_user(table, name, cluster))}" for name in PRINCIPALS)


def _user(table: Table, principal: str, cluster: str) -> Iterator[str]:
    yield f"""apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata:
  name: {table.login(principal)}
  labels: {{strimzi.io/cluster: {cluster}}}
spec:
  authentication: {{type: scram-sha-512}}
  authorization:
    type: simple
    acls:
"""
    own = sorted(right for right in table.rights() if right.user == principal)
    for (kind, name, prefixed), rights in groupby(sorted(own, key=_resource), _resource):
        pattern = "prefix" if prefixed else "literal"
        operations = ", ".join(sorted(right.operation for right in rights))
        yield f"      - resource: {{type: {kind}, name: {name}, patternType: {pattern}}}\n"
        yield f"        operations: [{operations}]\n"


def _resource(right: Right) -> tuple[str, str, bool]:
    return right.kind, right.name, right.prefixed
