"""The search for the maximum sustainable rate. Knows rates and outcomes, no system."""

from collections.abc import Awaitable, Callable

from services.workbench.load.outcome import Outcome

GROWTH = 1.25
HALVINGS = 2
MOST_STEPS = 40

At = Callable[[float], Awaitable[Outcome]]


async def maximum_rate(first: float, at: At) -> float:
    """Return the highest rate that was kept, 0 when not even the first was.

    Steps up by a quarter until a rate is not kept, then halves the gap between the last two. A rate that is not kept
    is tried once more: the machine may have had something else to do.
    """

    async def is_kept(rate: float) -> bool:
        return (await at(rate)).is_kept or (await at(rate)).is_kept

    kept, rate = 0.0, first
    for _ in range(MOST_STEPS):
        if not await is_kept(rate):
            break
        kept, rate = rate, rate * GROWTH
    for _ in range(HALVINGS if kept else 0):
        between = (kept + rate) / 2
        if await is_kept(between):
            kept = between
        else:
            rate = between
    return kept
