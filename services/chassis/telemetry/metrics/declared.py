"""Declarations of metrics. Never an id, a key or an offset as a label: series must not grow with users."""

import math
from typing import Literal

import msgspec

SYSTEM = "kafka"  # the value of `messaging_system`
Kind = Literal["counter", "gauge", "histogram"]


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A metric. `unit` is in words, `services` names who has it, `buckets` are a histogram's upper bounds."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    services: tuple[str, ...]
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def longest(self) -> float:
        """The largest value that a histogram adds to its sum, just above the last bound.

        One absurd time, from a clock that is wrong, would spoil the mean for good.
        """
        return math.nextafter(self.buckets[-1], math.inf)
