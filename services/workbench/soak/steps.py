"""The steps of the soak: which program shows what, at which size, and which of its words are its figures.

Parses the programs' output; starts nothing.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from services.workbench.load.command import Result
from services.workbench.usage import MIB

SHARE_OF_MAXIMUM = 0.7
PERCENTS = (50, 99)
BAD = ("WRONG", "BROKEN")  # how the programs begin a line with a problem


class Report(msgspec.Struct, frozen=True):
    """Figures and problems of a step, a line each."""

    figures: Sequence[str]
    problems: Sequence[str]


class Step(msgspec.Struct, frozen=True):
    """A program that shows something. `read` takes all lines of its output."""

    name: str
    shows: str
    argv: tuple[str, ...]
    read: Callable[[Sequence[str]], Report]
    environment: Mapping[str, str] = {}


def steps(scale: float, rate: int, load_result: Path) -> list[Step]:
    """Return all steps, in order. `scale` 1 is the full size; `rate` is the first one of the search for the maximum."""
    size = partial(_sized, scale)

    load = ("load", "--start", "--rate", str(rate), "--of-max-rate", str(SHARE_OF_MAXIMUM), "--seconds", size(300, 3))
    return [
        Step(
            "memory",
            "every service under 200 MiB after the demo with many users, nothing missing",
            _program("services.workbench", "demo"),
            figures(r"Resident memory|[\d,]+ commands accepted"),
            {"APP_USERS": size(20_000, 50)},
        ),
        Step(
            "backlog",
            "a backlog is consumed within 200 MiB",
            _program("services.workbench", "backlog", "--records", size(200_000, 2000)),
            figures(r"wrote|consumed in|\w+: at most"),
        ),
        Step(
            "load",
            f"{SHARE_OF_MAXIMUM:.0%} of the measured maximum rate: nothing missing",
            _program("services.workbench", *load, "--json", str(load_result)),
            lambda lines: of_load(load_result, lines),
        ),
        Step(
            "outage",
            "the mail server down under load: memory flat, no rebalance, nothing lost, each user's mails in order",
            _program("services.workbench.soak.mail_outage", "--seconds", size(120, 6)),
            figures(r"commands accepted|mails that|seconds until|notification's|changes of|places with|users with"),
        ),
        Step(
            "rebuild",
            "after mixed commands the log alone gives the same users; a newcomer's replica is notification's",
            _program("services.workbench.soak.rebuild", "--commands", size(20_000, 200)),
            figures(r"mixed commands|states on|rebuild --check|newcomer's|notification's"),
        ),
        _of_checker(size),
        *_of_growth(size),
        *_of_journeys(size),
    ]


def _of_checker(size: Callable[[int, int], str]) -> Step:
    return Step(
        "checker",
        "the checker on the log of 100,000 commands: within two minutes and 1 GiB, nothing found",
        _program("services.workbench.soak.checker", "--commands", size(100_000, 500)),
        figures(r"commands accepted|records compared|seconds of|peak of"),
    )


def _of_growth(size: Callable[[int, int], str]) -> list[Step]:
    shows = "steady load with shortened ages: tables that forget stop growing, no deletion takes 50 ms"
    program = ("services.workbench.soak.growth", "--seconds", size(240, 15))
    read = figures(r"commands accepted|table|deletions")
    return [
        Step("growth", f"{shows} (SQLite)", _program(*program), read),
        Step("growth-postgresql", f"{shows} (PostgreSQL)", _program(*program, "--postgresql"), read),
    ]


def _of_journeys(size: Callable[[int, int], str]) -> list[Step]:
    return [
        Step(
            "journeys",
            "services killed under commands: every record of the audit log in one journey, none without a known cause",
            _program("services.workbench.soak.journeys", "--users", size(6000, 60)),
            figures(r"commands accepted|kills|records in|journeys|faults of"),
        ),
        Step(
            "journey-page",
            "a journey of 50 records in a log of a million entries, by any id: within 300 ms",
            _program("services.workbench.soak.journey_page", "--entries", size(1_000_000, 2000)),
            figures(r"\w+( [\d.]+)?: a log|\w+( [\d.]+)?, "),
        ),
    ]


def _sized(scale: float, full: int, least: int) -> str:
    return str(max(least, round(full * scale)))


def figures(pattern: str) -> Callable[[Sequence[str]], Report]:
    """Return a parser of the lines that begin with a pattern."""

    def read(lines: Sequence[str]) -> Report:
        found = [re.sub(r" {2,}", ": ", line) for line in lines if re.match(pattern, line)]
        return Report(found, problems(lines) + ([] if found else ["it printed no figures"]))

    return read


def problems(lines: Sequence[str]) -> list[str]:
    """Return the lines with problems."""
    return [line for line in lines if line.startswith(BAD)]


def of_load(path: Path, lines: Sequence[str]) -> Report:
    """Return the figures of a load out of its JSON; one that found no sustainable rate has measured nothing."""
    if not path.exists():
        return Report([], [*problems(lines), "it wrote no result"])
    result = msgspec.json.decode(path.read_bytes(), type=Result)
    wrong = problems(lines)
    if not result.max_rate:
        wrong.append("no sustainable rate was found, not even the first rate was kept: begin lower with --rate")
    return Report(_figures(result), wrong)


def _figures(result: Result) -> list[str]:
    last = result.last
    cpu = ", ".join(f"{part} {seconds * 1000:.2f}" for part, seconds in last.cpu_per_command.items())
    memory = ", ".join(f"{part} {size / MIB:,.0f}" for part, size in last.resident.items())
    errors = ", ".join(f"{number:,} x {kind}" for kind, number in last.errors.items()) or "none"
    lasted = last.requests / last.offered
    return [
        f"maximum sustainable rate {result.max_rate or 0:,.0f} requests/s, found in {len(result.steps)} steps",
        f"offered {last.offered:,.1f}/s, achieved {last.achieved:,.1f}/s for {lasted:,.0f} s; errors: {errors}",
        f"{last.requests:,} requests, {last.commands:,} of them commands",
        f"request {_percentiles(last.answers['all'])}; command to mail intent {_percentiles(last.intents)}",
        f"command to mail {_percentiles(last.mails)}",
        f"CPU per command, ms: {cpu}; together {sum(last.cpu_per_command.values()) * 1000:.2f}",
        f"resident at the end, MiB: {memory}",
        ", ".join(f"{name} {sum(getattr(line, name) for line in last.lines):,}" for name in ("missing", "repeated")),
    ]


def _percentiles(found: Mapping[int, float]) -> str:
    return ", ".join(f"p{rank} {found[rank] * 1000:,.1f} ms" for rank in PERCENTS if rank in found) or "not known"


def _program(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
