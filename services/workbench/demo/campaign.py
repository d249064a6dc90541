"""Commands of the demo's users, decided by a seed alone, with the expected effects of each.

There are two waves, and the second begins when the effects of the first have arrived. The newest
preferences that the notification service has applied decide about a mail: with a change of preferences right behind
a change of address, the expected number of mails would be undefined.
"""

import random
from collections.abc import Mapping

import msgspec

FIRST_NAMES = ("Ada", "Chloë", "Grace", "Jürgen", "Katalin", "Søren", "Yuki", "Zofia")
LAST_NAMES = ("Hopper", "Karikó", "Lovelace", "Müller", "Nguyen", "Okafor", "Sato", "Țepeș")
SHARE_OPTED_OUT = 0.1
SHARE_MOVED = 0.2
SHARE_RENAMED = 0.2
SHARE_CHANGED_MIND = 0.15
SHARE_LEFT = 0.1


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One command to the user API and its messages: who must get one, and how many must be suppressed."""

    kind: str
    method: str
    body: Mapping[str, object] | None = None
    mailed: tuple[str, ...] = ()
    suppressed: int = 0


class Plan(msgspec.Struct, frozen=True):
    """The commands of one user, in order, in each wave. `number` counts from 1."""

    number: int
    waves: tuple[tuple[Step, ...], tuple[Step, ...]]


def campaign(users: int, seed: int) -> list[Plan]:
    """Return a plan per user; the same numbers give the same plans."""
    return [_plan(number, random.Random(f"{seed}/{number}")) for number in range(1, users + 1)]  # noqa: S311  # seeded


def _plan(number: int, chance: random.Random) -> Plan:
    old, new, newest = (f"user{number}.{address}@example.org" for address in ("old", "new", "newest"))
    opted_in = chance.random() >= SHARE_OPTED_OUT
    first = [register(f"user{number}", old, a_name(chance), opted_in=opted_in)]
    address = old
    if chance.random() < SHARE_MOVED:
        first.append(move(old, new, opted_in=opted_in))
        address = new
    if chance.random() < SHARE_RENAMED:
        first.append(Step(kind="rename", method="PATCH", body={"full_name": f"{a_name(chance)} {number}"}))
    if chance.random() < SHARE_CHANGED_MIND:
        return Plan(number, (tuple(first), _change_mind(address, newest, opted_in=not opted_in)))
    left = (leave(address, opted_in=opted_in),) if chance.random() < SHARE_LEFT else ()
    return Plan(number, (tuple(first), left))


def a_name(chance: random.Random) -> str:
    """Return a name out of many countries."""
    return f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"


def register(login: str, address: str, name: str, *, opted_in: bool) -> Step:
    """Return a registration."""
    preferences = {"email": opted_in}
    body = {"login": login, "email": address, "full_name": name, "locale": "en", "preferences": preferences}
    return _telling(Step(kind="register", method="POST", body=body), (address, address), opted_in=opted_in)


def move(old: str, new: str, *, opted_in: bool) -> Step:
    """Return a change of address."""
    return _telling(Step(kind="move", method="PATCH", body={"email": new}), (old, new), opted_in=opted_in)


def leave(address: str, *, opted_in: bool) -> Step:
    """Return a deactivation."""
    return _telling(Step(kind="leave", method="DELETE"), (address, address), opted_in=opted_in)


def recipients(kind: str, old: str, new: str) -> tuple[str, ...]:
    """Return the recipients of a command's mails, given the address before and after it."""
    return {"register": (new,), "move": (old, new), "leave": (old,)}.get(kind, ())


def _change_mind(old: str, new: str, *, opted_in: bool) -> tuple[Step, ...]:
    prefer = Step(kind="prefer", method="PATCH", body={"preferences": {"email": opted_in}})
    return prefer, move(old, new, opted_in=opted_in)


def _telling(step: Step, addresses: tuple[str, str], *, opted_in: bool) -> Step:
    recipients_ = recipients(step.kind, *addresses)
    return addressed(step, recipients_, opted_in=opted_in)


def addressed(step: Step, recipients_: tuple[str, ...], *, opted_in: bool) -> Step:
    """Return a step with its messages: mailed to the recipients, or as many suppressed."""
    if opted_in:
        return msgspec.structs.replace(step, mailed=recipients_, suppressed=0)
    return msgspec.structs.replace(step, mailed=(), suppressed=len(recipients_))
