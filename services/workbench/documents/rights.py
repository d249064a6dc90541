"""The least rights in Kafka, docs/rights.md: derived from the catalog, for a principal of each process."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.contracts.catalog import TOPICS, Pattern, Topic
from services.contracts.service_list import PUBLISHERS

PATH = Path(__file__).parents[3] / "docs/rights.md"
LOOKED_UP = (Pattern.EVENT_SOURCING, Pattern.DOMAIN_EVENTS, Pattern.CHECKPOINTS)
REBUILD = "user-rebuild-"
HEAD = """# Rights in Kafka
The least rights of each process, derived by `make docs` from `services/contracts/catalog.py`. A test gives exactly
these to five users of a broker that denies everything else, and runs the system with them
(`tests/integration/workbench/test_operations.py`).

**Nothing applies them for you**: that is not built yet. Each row is one call of Kafka's own `kafka-acls`, with
`--bootstrap-server` and `--command-config` of an administrator. Give the rights first and create the users last, so
that nobody can log in before its rights exist; topics need not be there yet. No process needs a right on the cluster or
on transactions, nor `Alter`, `Delete` or `DescribeConfigs`.

| User | `kafka-acls --add --allow-principal User:…` | Why |
|---|---|---|
"""


class Grant(msgspec.Struct, frozen=True):
    """Operations of one user on topics and groups; `prefixed` ones are the beginnings of names."""

    user: str
    operations: tuple[str, ...]
    topics: tuple[str, ...]
    groups: tuple[str, ...]
    reason: str
    prefixed: bool = False

    def options(self) -> str:
        """Return the options of `kafka-acls`."""
        named = (("--operation", self.operations), ("--topic", self.topics), ("--group", self.groups))
        pattern = " --resource-pattern-type prefixed" if self.prefixed else ""
        return " ".join(f"{option} {value}" for option, values in named for value in values) + pattern


def grants() -> list[Grant]:
    """Return every right that a system needs."""
    every, services = tuple(topic.name for topic in TOPICS), _services()
    return [
        *(grant for service in services for grant in _of_service(service)),
        Grant(
            "user",
            ("Read",),
            (),
            (REBUILD,),
            "`services.user rebuild --check`: a group of its own each time",
            prefixed=True,
        ),
        *(_looking(user, every, services) for user in ("lag-probe", "console")),
        Grant("console", ("Read",), every, (), "`console lag` and `console events` read records"),
        Grant(
            "lag-probe",
            ("Read",),
            every,
            (),
            "the age of the oldest unread record; without it the lag in seconds is unknown",
        ),
        Grant("console", ("Create",), every, (), "`console topics` creates topics that are missing"),
    ]


def text() -> str:
    """Return the whole document."""
    rows = (
        f"| `{one.user}` | `{one.options()}` | {one.reason} |\n" for one in sorted(grants(), key=lambda one: one.user)
    )
    return HEAD + "".join(rows)


def _services() -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for topic in TOPICS for name in (*topic.publishers, *topic.readers)))


def _of_service(service: str) -> Iterator[Grant]:
    published = _names(topic for topic in TOPICS if service in topic.publishers)
    own = _names(topic for topic in TOPICS if service in topic.publishers and topic.pattern in LOOKED_UP)
    read = _names(topic for topic in TOPICS if service in topic.readers)
    if published:
        others = ", with dead letters and operators' actions" if service in PUBLISHERS else ""
        yield Grant(service, ("Write",), published, (), f"it publishes{others}")
    if own:
        yield Grant(service, ("Read",), own, (), "before it publishes, it looks up the newest record of its own")
    yield Grant(service, ("Read",), read, (service,), "it reads, as a member of its group")


def _looking(user: str, topics: tuple[str, ...], groups: tuple[str, ...]) -> Grant:
    return Grant(user, ("Describe",), topics, groups, "ends of topics, committed offsets and members of groups")


def _names(topics: Iterator[Topic]) -> tuple[str, ...]:
    return tuple(topic.name for topic in topics)
