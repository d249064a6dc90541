"""Findings of checks: an example of an anomaly, and the command whose journey shows it."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from services.workbench.reconcile.evidence import Evidence


class Finding(NamedTuple):
    """One case of an anomaly. `command` is a correlation id, empty if none is known."""

    what: str
    command: str = ""


class Check(NamedTuple):
    """A check under Jepsen's name. `needs` are the parts of the evidence without which it cannot be made."""

    name: str
    meaning: str
    allowed: str
    find: Callable[[Evidence], Iterator[Finding]]
    needs: tuple[str, ...] = ()
