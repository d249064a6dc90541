"""The report of a campaign: a page of Markdown, and a picture of requests, lag and faults over time."""

from collections.abc import Sequence
from typing import NamedTuple

from services.workbench.chaos.campaign import Broken, Played
from services.workbench.chaos.totals import MailRepeats, by_group
from services.workbench.reconcile.checks import Checked

WIDTH, HEIGHT, LEFT, GAP = 960, 120, 60, 30
STYLE = "font-family: sans-serif; font-size: 11px"


class Facts(NamedTuple):
    """Description of a campaign: its system and seed, the seconds until everything was compared, and repeated mails."""

    system: str
    seed: int
    command: str
    converged: float
    mails: MailRepeats | None  # None on compose and kind: their mails may be of earlier campaigns


def markdown(facts: Facts, played: Played, outcome: Sequence[Checked], picture: str) -> str:
    """Return the page."""
    faults = "".join(f"| {one.began:.0f} s | {one.name} | {one.ended - one.began:.1f} s |\n" for one in played.faults)
    checks = "".join(f"| {one.check.name} | {_found(one)} | {one.check.allowed} |\n" for one in outcome)
    totals = "".join(f"| {name} | {number:,} |\n" for name, number in by_group(outcome).items())
    mails = "not counted" if facts.mails is None else f"{facts.mails.found:,} (at most {facts.mails.bound:,})"
    return f"""# Campaign with seed {facts.seed}
`{facts.command}` on {facts.system}: {played.commands:,} commands were accepted in {played.requests:,} requests, under
{len(played.faults)} faults. Everything was compared {facts.converged:.0f} s after the last request.

![Answers, attempts without one, and lag, second by second; faults are shaded]({picture})

| Total | Number |
|---|---|
| commands | {played.commands:,} |
| commands without an answer | {played.unknown:,} |
| faults | {len(played.faults)} |
{totals}| repeated mails | {mails} |
| seconds to converge, comparison included | {facts.converged:.0f} |

| Begins | Fault | Lasts |
|---|---|---|
{faults}
| Anomaly | Found | Allowed |
|---|---|---|
{checks}"""


def svg(played: Played) -> str:
    """Return the picture: three curves over one axis of seconds."""
    curves = (
        ("answered/s", [one.answered for one in played.seconds], "#2a7"),
        ("without answer/s", [one.unanswered for one in played.seconds], "#c33"),
        ("lag, records", [one.lag for one in played.seconds], "#36c"),
    )
    height = len(curves) * (HEIGHT + GAP) + GAP
    step = WIDTH / max(1, len(played.seconds))
    shades = "".join(_shade(one, step, height) for one in played.faults)
    lines = "".join(_curve(*curve, step, GAP + row * (HEIGHT + GAP)) for row, curve in enumerate(curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH} {height}" style="{STYLE}">'
        f'<rect width="100%" height="100%" fill="white"/>{shades}{lines}</svg>\n'
    )


def _shade(fault: Broken, step: float, height: int) -> str:
    left, width = LEFT + fault.began * step, (fault.ended - fault.began) * step
    return (
        f'<rect x="{left:.1f}" y="{GAP / 2}" width="{width:.1f}" height="{height}" fill="#fd8" fill-opacity="0.5"/>'
        f'<text x="{left:.1f}" y="{GAP / 2 - 3}">{fault.name}</text>'
    )


def _curve(name: str, values: Sequence[int], colour: str, step: float, top: int) -> str:
    most = max(1, *values)
    points = " ".join(
        f"{LEFT + (second + 0.5) * step:.1f},{top + HEIGHT - value / most * HEIGHT:.1f}"
        for second, value in enumerate(values)
    )
    return (
        f'<text x="2" y="{top + 10}">{most:,}</text><text x="2" y="{top + HEIGHT}">0</text>'
        f'<text x="{LEFT + 4}" y="{top + 10}" fill="{colour}">{name}</text>'
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    )


def _found(one: Checked) -> str:
    return "not checked" if one.findings is None else f"{len(one.findings):,}"
