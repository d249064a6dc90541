"""Comparison of the users of two moments: a line for each user that differs, with the fields; in flat memory."""

import heapq
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import msgspec
from sqlalchemy import Connection

from services.chassis.messages.printable import printable
from services.contracts.user import UserState
from services.user.as_of import canonical
from services.user.rebuild import flat, summary
from services.user.store import users

Sided = tuple[bytes, int, UserState]  # user id, 0 before or 1 after, state


def differences(before: Connection, after: Connection, *, personal: bool) -> Iterator[str]:
    """Yield a line for each user that differs; values of personal data only if `personal`."""
    both = heapq.merge(_side(before, 0), _side(after, 1), key=itemgetter(0, 1))
    for _, found in groupby(both, key=itemgetter(0)):
        states = {side: state for _, side, state in found}
        if (old := states.get(0)) != (new := states.get(1)):
            yield printable(f"user {states[min(states)].user_id}: {_change(old, new, personal=personal)}")


def _side(connection: Connection, side: int) -> Iterator[Sided]:
    for user_id, *_, state in canonical.rows(connection, users):
        yield user_id.encode(), side, state


def _change(old: UserState | None, new: UserState | None, *, personal: bool) -> str:
    if old is None or new is None:
        return f"{summary(old)} -> {summary(new)}"
    before, after = flat(old), flat(new)
    changed = [name for name in after if before[name] != after[name]]
    return ", ".join(
        name
        if name.startswith("personal.") and not personal
        else f"{name} {_text(before[name])} -> {_text(after[name])}"
        for name in changed
    )


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
