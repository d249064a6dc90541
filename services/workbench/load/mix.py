"""Requests of the load and their times, decided by a seed alone, before the first request is sent.

Arrivals are a Poisson process: so many, at moments independent of each other and of any answer. The acting user
is drawn by Zipf's law (exponent 1): with n users the k-th acts with a probability of about 1 / (k ln n).
"""

import random
from collections.abc import Sequence

import msgspec

SHARES = {"read": 30, "register": 20, "rename": 20, "move": 15, "prefer": 10, "leave": 5}


class Planned(msgspec.Struct, frozen=True):
    """A request: seconds after the start, what, and by which user (counted from 1)."""

    at: float
    kind: str
    user: int


class Mix:
    """Plans requests for a population that grows by those who register and shrinks by those who leave."""

    def __init__(self, users: int, chance: random.Random) -> None:
        self._active = list(range(1, users + 1))
        self._last = users
        self._chance = chance

    def plan(self, rate: float, seconds: float) -> Sequence[Planned]:
        """Return the requests of so many seconds, in order."""
        moments = sorted(self._chance.uniform(0, seconds) for _ in range(round(rate * seconds)))
        actions = self._chance.choices(list(SHARES), list(SHARES.values()), k=len(moments))
        return [Planned(at, kind, self._user(kind)) for at, kind in zip(moments, actions, strict=True)]

    def _user(self, kind: str) -> int:
        if kind == "register":
            self._last += 1
            self._active.append(self._last)
            return self._last
        if kind == "leave":
            return self._take_away(self._chance.randrange(len(self._active)))
        return self._active[int(len(self._active) ** self._chance.random()) - 1]

    def _take_away(self, place: int) -> int:
        gone, self._active[place] = self._active[place], self._active[-1]
        self._active.pop()
        return gone
