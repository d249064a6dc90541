"""The request for a new service: checks its name and topics, and chooses its slot, before anything is written."""

import keyword
import re
from collections.abc import Sequence

import msgspec

from services.console.failures import UsageError
from services.contracts.catalog import EVENT_TOPICS, Pattern
from services.contracts.service_list import COMPOSE, KIND, LAG_EXPORTER_SLOT, LARGEST_SLOT, LOCAL, NODE, Service

NAME = re.compile(r"[a-z][a-z0-9]{1,19}\Z")
# Names of ports, programs, containers and charts that a service of the same name would be taken for.
RESERVED = frozenset(
    re.findall(
        r"\w+",
        """admin alertmanager broker chassis connect console contracts controller database eventline global
        grafana kafka mail observability operator page postgres probe prometheus service
        services sink smtp test tests topics workbench""",
    )
)
PLACES = {"local": LOCAL, "compose": COMPOSE, "kind": KIND, "node": NODE}


class NewService(msgspec.Struct, frozen=True):
    """A service to be written, or one that was: its row in the list."""

    row: Service

    def values(self) -> dict[str, object]:
        """Return the values of the placeholders in templates and rows."""
        first = next(topic for topic in EVENT_TOPICS if topic.name == self.row.reads[0])
        ports = {place: target.ports(self.row.slot) for place, target in PLACES.items()}
        return ports | {
            "name": self.row.name,
            "upper": self.row.name.upper(),
            "title": self.row.name.capitalize(),
            "slot": self.row.slot,
            "reads": self.row.reads,
            "description": f"The {self.row.name} service: the newest record of each key of {', '.join(self.row.reads)}",
            "topic": first.name,  # the one that the made test uses
            "type": first.types[0],
            "compacted": first.cleanup == "compact",
        }


def requested(name: str, reads: Sequence[str], rows: Sequence[Service]) -> NewService:
    """Return a new service beside the listed ones. Raises UsageError: the name, a topic, or no slot is left."""
    _check_name(name, {row.name for row in rows})
    _check_topics(reads)
    used = {row.slot for row in rows} | {LAG_EXPORTER_SLOT}
    free = [slot for slot in range(LARGEST_SLOT + 1) if slot not in used]
    if not free:
        raise UsageError(f"all {LARGEST_SLOT + 1} slots of ports are taken: remove a service first")
    return NewService(Service(name, free[0], tuple(reads), dead_letters=True, replica=True))


def _check_name(name: str, taken: set[str]) -> None:
    if not NAME.match(name):
        raise UsageError(
            f"NAME={name!r}: write 2 to 20 lower-case letters and digits, a letter first, such as NAME=billing; it "
            "becomes the name of a Python package, a database, a Kubernetes Deployment and a consumer group"
        )
    if name in taken:
        raise UsageError(f"NAME={name}: there is such a service; `make remove-service NAME={name}` removes a made one")
    if name in RESERVED or keyword.iskeyword(name):
        raise UsageError(f"NAME={name}: the name is taken by another part of the system or by Python: choose another")


def _check_topics(reads: Sequence[str]) -> None:
    readable = [topic.name for topic in EVENT_TOPICS if topic.pattern is not Pattern.DEAD_LETTERS]
    if not reads:
        raise UsageError(f"READS is empty: name the topics to read, with commas between them: {', '.join(readable)}")
    for name in reads:
        if name not in readable:
            raise UsageError(f"READS={name}: no such topic to read; there are {', '.join(readable)}")
    if len(set(reads)) < len(reads):
        raise UsageError(f"READS={','.join(reads)}: a topic is named twice")
