"""Comparison of expected and arrived effects. Pure: observations are arguments.

An effect is named so that it can be expected before it is seen: a record by its command and version, a mail
by its command and recipient, an audit entry by the place of the record that it covers.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

import msgspec

from services.workbench.demo.driver import Accepted

Effect = tuple[Hashable, ...]


class Sighting(msgspec.Struct, frozen=True):
    """Something that arrived: only a repeat has the same `identity`; `effect` is what was expected."""

    identity: Effect
    effect: Effect


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The count at one place, which is of a kind: the log, the inbox, the audit trail."""

    kind: str
    place: str
    expected: int
    arrived: int
    missing: int
    repeated: int
    unexpected: int

    @property
    def is_right(self) -> bool:
        """Return whether there is exactly what was expected."""
        return not (self.missing or self.repeated or self.unexpected)


def count(kind: str, place: str, expected: Iterable[Effect], seen: Sequence[Sighting]) -> Line:
    """Return the comparison: repeats are counted once as arrived and once as repeated."""
    wanted = Counter(expected)
    once = {sighting.identity: sighting.effect for sighting in seen}
    arrived = Counter(once.values())
    return Line(
        kind=kind,
        place=place,
        expected=wanted.total(),
        arrived=arrived.total(),
        missing=(wanted - arrived).total(),
        repeated=len(seen) - len(once),
        unexpected=(arrived - wanted).total(),
    )


def expected_changes(accepted: Iterable[Accepted]) -> list[Effect]:
    """Return what each of the user's topics must hold: one record per event, named by command and version."""
    return [
        (command.correlation_id, version)
        for command in accepted
        for version in range(command.before + 1, command.version + 1)
    ]


def expected_facts(accepted: Iterable[Accepted]) -> list[Effect]:
    """Return what the notification service must have published, named by command and type."""
    facts: list[Effect] = []
    for command in accepted:
        for _ in command.step.mailed:
            facts += [
                (command.correlation_id, "notification.queued"),
                (command.correlation_id, "notification.sent"),
            ]
        facts += [(command.correlation_id, "notification.suppressed")] * command.step.suppressed
    return facts


def expected_mails(accepted: Iterable[Accepted]) -> list[Effect]:
    """Return what must be in the inbox, named by command and recipient."""
    return [(command.correlation_id, recipient) for command in accepted for recipient in command.step.mailed]


def latencies(accepted: Iterable[Accepted], arrivals: Iterable[tuple[str, float]]) -> list[float]:
    """Return seconds from each command's start to its first arrival (command, epoch seconds)."""
    first: dict[str, float] = {}
    for correlation_id, moment in arrivals:
        first[correlation_id] = min(moment, first.get(correlation_id, moment))
    return [
        first[command.correlation_id] - command.started_at for command in accepted if command.correlation_id in first
    ]


def percentiles(values: Sequence[float], ranks: Sequence[int]) -> Mapping[int, float]:
    """Return the nearest-rank percentile for each rank in 1..100; empty without values."""
    ordered = sorted(values)
    return {rank: ordered[-(-rank * len(ordered) // 100) - 1] for rank in ranks if ordered}
