"""Checks the rounds of a part: their ratios, units and progress."""

import io
from collections.abc import Iterable

from rich.console import Console

from services.workbench.bench.outcome import Outcome, Pair, Part, Say, run, table


def played(rounds: int, turns: list[list[Pair]], most_rounds: int = 9, announced: int = 1) -> tuple[list[Outcome], str]:
    left = iter(turns)

    def measure(say: Say) -> Iterable[Pair]:
        for number in range(announced):
            say(f"step {number}")
        return next(left)

    console = Console(file=io.StringIO(), width=130)
    outcomes = run(Part("x", "per second", 1, measure, most_rounds), rounds, console)
    console.print(table(outcomes))
    assert isinstance(console.file, io.StringIO)
    return outcomes, console.file.getvalue()


def test_a_ratio_is_taken_in_each_round_and_shown_with_its_range() -> None:
    (found,), shown = played(
        3, [[Pair("case", "other", 100, 50)], [Pair("case", "other", 10, 20)], [Pair("case", "other", 4, 4)]]
    )
    assert (found.its, found.own, found.ratio) == (10, 20, 1.0)
    assert "0.50 to 2.00" in shown


def test_pairs_with_a_unit_of_their_own_are_a_section_of_their_own() -> None:
    found, _ = played(1, [[Pair("case", "other", 100, 50), Pair("case", "other", 3, 2, "ms")]])
    assert [(one.bench, one.its) for one in found] == [("(x) per second", 100), ("(x) ms", 3)]


def test_small_figures_keep_their_decimals() -> None:
    _, shown = played(1, [[Pair("case", "other", 2.85, 1234.5)]])
    assert "2.85" in shown
    assert "1,234 " in shown


def test_a_long_part_has_fewer_rounds_than_are_asked_for() -> None:
    (found,), _ = played(5, [[Pair("case", "other", 1, 1)]] * 2, most_rounds=2)
    assert len(found.ratios) == 2


def test_more_steps_than_announced_are_shown_too() -> None:
    _, shown = played(1, [[Pair("case", "other", 1, 1)]], announced=3)
    assert "(x) step 2" in shown
