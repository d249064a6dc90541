"""The faults of a campaign and their times, decided by a seed alone."""

import random
from collections.abc import Sequence

import msgspec

from services.workbench.faults.table import Fault, FaultError

EDGE = 0.05  # of a campaign before the first fault, and of each fault's share of it before it begins
SHORTEST, LONGEST = 0.3, 0.8  # of a fault's share
LONGEST_S = 90.0


class Planned(msgspec.Struct, frozen=True):
    """A fault, the seconds from the start of the load to it, and how long it lasts."""

    at: float
    fault: Fault
    lasts: float


def schedule(possible: Sequence[Fault], seed: int, number: int, seconds: float) -> list[Planned]:
    """Return so many faults within so many seconds, one after the other; equal arguments give equal faults.

    Each kind of fault comes once before any comes again. A fault that needs more time than each has is left out.
    Records that cannot be applied are not published: what is dead stays dead until an operator decides. Raises
    FaultError if nothing can be broken.
    """
    chance = random.Random(seed)  # noqa: S311  # seeded, not secret
    share = seconds * (1 - EDGE) / number
    most = min(LONGEST * share, LONGEST_S)
    choice = [fault for fault in possible if fault.verb != "poison" and fault.lasting(0) <= most]
    if not choice:
        raise FaultError("this system has no part that can be broken: `break list` shows what it has")
    planned, left = [], list[Fault]()
    for count in range(number):
        left = left or chance.sample(choice, len(choice))
        lasts = min(chance.uniform(SHORTEST, LONGEST) * share, LONGEST_S)
        begins = seconds * EDGE + count * share + chance.uniform(0, EDGE) * share
        fault = left.pop()
        planned.append(Planned(begins, fault, fault.lasting(lasts)))
    return planned
