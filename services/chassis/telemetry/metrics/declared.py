"""Declarations of metrics. Never an id, a key or an offset as a label: series must not grow with users."""

from typing import Literal

import msgspec

SYSTEM = "kafka"  # the value of `messaging_system`
Kind = Literal["counter", "gauge", "histogram"]

# Services that have a metric, by the label `job`.
PUBLISHERS = ("user", "notification")
SERVICES = ("user", "notification", "audit")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A metric. `unit` is in words, `services` names who has it, `buckets` are a histogram's upper bounds."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    services: tuple[str, ...]
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
