"""The faults that can be caused: verbs, targets and the choice by a seed. Pure."""

import random
from collections.abc import Mapping, Sequence

import msgspec

from services.contracts.service_list import SERVICES
from services.workbench.faults.poison import POISONS

BROKER, DATABASE, MAIL = "broker", "database", "mail"
PARTS = (*SERVICES, BROKER, DATABASE, MAIL)
ZOMBIE_S = 30.0  # longer than the session of a consumer, 6 s, and the lease of a relay, 20 s


class FaultError(Exception):
    """The fault is unknown, impossible in this system, or its target is broken already; the message has the choice."""


class Verb(msgspec.Struct, frozen=True):
    """A verb: what it does, and to what. It lasts `at_least` so many seconds."""

    meaning: str
    targets: tuple[str, ...]
    at_least: float = 0.0


class Fault(msgspec.Struct, frozen=True):
    """A verb with its target."""

    verb: str
    target: str

    @property
    def name(self) -> str:
        """Verb and target."""
        return f"{self.verb} {self.target}"

    def lasting(self, seconds: float) -> float:
        """Return how long it lasts if so many seconds are asked for."""
        return max(seconds, VERBS[self.verb].at_least)


VERBS: Mapping[str, Verb] = {
    "kill": Verb("ends it at once, as SIGKILL does; it is started again at the end", (*SERVICES, BROKER, DATABASE)),
    "pause": Verb("stops it with its connections open, as SIGSTOP does", (*SERVICES, BROKER, DATABASE)),
    "suspend": Verb("stops it for longer than its session and its lease: it continues as a zombie", SERVICES, ZOMBIE_S),
    "slow": Verb("lets it run for a fifth of the time", SERVICES),
    "stall": Verb("mails are neither accepted nor refused", (MAIL,)),
    "fill": Verb("leaves no room on its disk; if it ends for that, it is started again at the end", (BROKER, DATABASE)),
    "write-protect": Verb("refuses every write, as a database that is read-only", (DATABASE,)),
    "cut": Verb("lets nothing pass between it and broker and database server, with connections open", SERVICES),
    "shift": Verb("moves its wall clock half an hour ahead, and back at the end", (*SERVICES, BROKER)),
    "poison": Verb("publishes three records on user.notices.v1 that cannot be applied", tuple(POISONS)),
}


def all_faults() -> list[Fault]:
    """Return every fault of the table."""
    return [Fault(verb, target) for verb, known in VERBS.items() for target in known.targets]


def named(verb: str, target: str) -> Fault:
    """Return the fault of a verb and a target. Raises FaultError with the choice."""
    if verb not in VERBS:
        raise FaultError(f"there is no verb {verb!r}: use one of {', '.join(VERBS)}, or heal, or list")
    if target not in VERBS[verb].targets:
        raise FaultError(f"{verb} has no target {target!r}: use one of {', '.join(VERBS[verb].targets)}")
    return Fault(verb, target)


def pick(possible: Sequence[Fault], verb: str | None, seed: int) -> Fault:
    """Return the fault that a seed chooses, of one verb or of all; never one that leaves something behind."""
    if verb is not None and verb not in VERBS:
        named(verb, "")
    choice = [fault for fault in possible if verb in (None, fault.verb) and not _stays(fault)]
    if not choice:
        raise FaultError(f"this system has nothing to {verb}: `break list` shows what it has")
    return random.Random(seed).choice(choice)  # noqa: S311  # seeded, not secret


def _stays(fault: Fault) -> bool:
    return fault.verb == "poison" and POISONS[fault.target].parked
