"""The least rights in Kafka, as data: derived from the catalog and services.toml, for a principal of each process.

A publisher needs Write, a reader Read on topic and group; Read and Write include Describe. Nobody needs a right on the
cluster or on transactions, nor Alter, Delete or DescribeConfigs.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from services.contracts.catalog import TOPICS, Pattern, Topic
from services.contracts.service_list import PUBLISHERS, SERVICES

PREFIX = "eventline-"  # of principals: in a shared Kafka `user` is too common a name
MECHANISM = "SCRAM-SHA-512"  # with which they log in
LAG_EXPORTER, ADMINISTRATOR, OPERATOR = "lag-exporter", "topics", "operator"
PRINCIPALS = (*SERVICES, LAG_EXPORTER, ADMINISTRATOR, OPERATOR)  # one for each process, and one for a person
REBUILD = "user-rebuild-"
READERS = "reader-"
LOOKED_UP = (Pattern.EVENT_SOURCING, Pattern.DOMAIN_EVENTS, Pattern.CHECKPOINTS)
INCLUDE_DESCRIBE = frozenset({"Read", "Write"})
TOPIC, GROUP = "topic", "group"


class Grant(msgspec.Struct, frozen=True):
    """Operations of one principal on topics and groups; `prefixed` ones are the beginnings of names.

    `user` is the principal without its prefix.
    """

    user: str
    operations: tuple[str, ...]
    topics: tuple[str, ...]
    groups: tuple[str, ...]
    reason: str
    prefixed: bool = False


class Right(NamedTuple):
    """One operation of one principal on one resource: a row of Kafka's access control list."""

    user: str
    kind: str
    name: str
    operation: str
    prefixed: bool = False


def kafka_name(principal: str, prefix: str = PREFIX) -> str:
    """Return the name with which a principal logs in."""
    return prefix + principal


def grants(group_prefix: str = "") -> tuple[Grant, ...]:
    """Return every right that a system needs whose consumer groups have this prefix."""
    every = tuple(topic.name for topic in TOPICS)
    groups = tuple(group_prefix + name for name in SERVICES)
    return (
        *(grant for name, group in zip(SERVICES, groups, strict=True) for grant in _of_service(name, group)),
        Grant(
            "user",
            ("Read",),
            (),
            (group_prefix + REBUILD,),
            "`services.user rebuild --check`: a group of its own each time",
            prefixed=True,
        ),
        *(
            Grant(
                name,
                ("Describe",),
                (),
                (group_prefix + READERS,),
                "reading outside its group: the client asks for a coordinator",
                prefixed=True,
            )
            for name in (*SERVICES, LAG_EXPORTER, OPERATOR)
        ),
        Grant(LAG_EXPORTER, ("Read",), every, (), "ends of topics, and the age of the oldest unread record"),
        Grant(LAG_EXPORTER, ("Describe",), (), groups, "committed offsets and members of groups"),
        Grant(ADMINISTRATOR, ("Create", "Describe"), every, (), "`console topics` creates what is missing"),
        Grant(OPERATOR, ("Read",), every, (), "`console events`, `console export` and `console lag` read records"),
        Grant(OPERATOR, ("Describe",), (), groups, "`console lag`: committed offsets"),
    )


def rights(granted: Iterable[Grant]) -> frozenset[Right]:
    """Return the single rights of grants."""
    return frozenset(
        Right(one.user, kind, name, operation, one.prefixed)
        for one in granted
        for operation in one.operations
        for kind, names in ((TOPIC, one.topics), (GROUP, one.groups))
        for name in names
    )


def operations(found: Iterable[Right], user: str, kind: str, name: str) -> frozenset[str]:
    """Return what a principal may do on one resource, with the operations that others include."""
    given = {
        one.operation
        for one in found
        if (one.user, one.kind) == (user, kind) and (name.startswith(one.name) if one.prefixed else name == one.name)
    }
    return frozenset(given | ({"Describe"} if given & INCLUDE_DESCRIBE else set()))


def _of_service(service: str, group: str) -> Iterator[Grant]:
    published = _names(topic for topic in TOPICS if service in topic.publishers)
    own = _names(topic for topic in TOPICS if service in topic.publishers and topic.pattern in LOOKED_UP)
    read = _names(topic for topic in TOPICS if service in topic.readers)
    if published:
        others = ", with dead letters and operators' actions" if service in PUBLISHERS else ""
        yield Grant(service, ("Write",), published, (), f"it publishes{others}")
    if own:
        yield Grant(service, ("Read",), own, (), "before it publishes, it looks up the newest record of its own")
    if read:
        yield Grant(service, ("Read",), read, (group,), "it reads, as a member of its group")


def _names(topics: Iterator[Topic]) -> tuple[str, ...]:
    return tuple(topic.name for topic in topics)
