"""Builder of the outcomes of loads."""

from services.workbench.demo.counting import Line
from services.workbench.load.outcome import Outcome


def an_outcome(offered: float, kept: float, p99: float = 0.01, lines: tuple[Line, ...] = ()) -> Outcome:
    """Return the outcome of a load that was answered within 10 ms unless p99 is given."""
    return Outcome(
        offered=offered,
        achieved=kept,
        requests=1,
        commands=1,
        answers={"all": {50: 0.01, 99: p99}},
        intents={},
        errors={},
        settling=0.0,
        cpu_per_command={},
        resident={},
        lines=lines,
        problems=(),
    )
