"""The report of faults: lost, repeated and delayed effects, as values and as text. Pure."""

import statistics
from collections.abc import Mapping, Sequence

import msgspec

from services.workbench.demo.counting import Line


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of the commands that were sent while something was broken. Seconds everywhere.

    `settled_s` is how long after the end the last effect arrived, `lag` the most records each group was behind.
    """

    system: str
    faults: Sequence[str]
    seconds: float
    accepted: int
    sent_again: int
    unanswered: int
    lines: Sequence[Line]
    letters: int
    expected_letters: int
    delays: Mapping[str, Sequence[float]]
    settled_s: float
    lag: Mapping[str, int]

    @property
    def is_right(self) -> bool:
        """Return whether nothing was lost."""
        return self.letters >= self.expected_letters and not any(line.missing for line in self.lines)

    def text(self) -> list[tuple[str, str]]:
        """Return what there is to report, each with its heading."""
        found = [
            ("broken", f"{', '.join(self.faults)}, for {self.seconds:.0f} s in {self.system}"),
            ("commands", self._commands()),
            ("lost", self._lost()),
            ("repeated", self._repeated()),
            ("delayed", self._delayed()),
            ("most lag", ", ".join(f"{group} {records:,} records" for group, records in self.lag.items()) or "unknown"),
        ]
        if any(line.missing for line in self.lines):
            found.append(
                ("look at", "/readyz of each service and `console relay status`: what is missing may still wait")
            )
        letters = f"{self.letters} of {self.expected_letters} poison records are on a dead-letter topic"
        return [*found, ("dead letters", letters)] if self.expected_letters else found

    def _commands(self) -> str:
        again = f"; {self.sent_again} of them had to be sent again" if self.sent_again else ""
        unanswered = f"; {self.unanswered} were never answered, so nothing is promised" if self.unanswered else ""
        return f"{self.accepted} accepted meanwhile{again}{unanswered}"

    def _lost(self) -> str:
        lost = [f"{line.missing} of {line.expected} {line.kind} ({line.place})" for line in self.lines if line.missing]
        totals = (f"{number:,} of {expected:,} {kind}" for kind, (number, expected) in self._totals().items())
        return ", ".join(lost) if lost else f"nothing: {', '.join(totals)} arrived"

    def _totals(self) -> Mapping[str, tuple[int, int]]:
        totals: dict[str, tuple[int, int]] = {}
        for line in self.lines:
            number, expected = totals.get(line.kind, (0, 0))
            totals[line.kind] = (number + line.arrived, expected + line.expected)
        return totals

    def _repeated(self) -> str:
        repeated = [f"{line.repeated} {line.kind} ({line.place})" for line in self.lines if line.repeated]
        return ", ".join(repeated) or "nothing"

    def _delayed(self) -> str:
        found = [
            f"{effect} by up to {max(values):.1f} s (median {statistics.median(values):.1f} s)"
            for effect, values in self.delays.items()
            if values
        ]
        complete = "not complete" if any(line.missing for line in self.lines) else "complete"
        return f"{', '.join(found)}; {complete} {self.settled_s:.1f} s after the end"
