"""Journeys under faults: user, notification and audit are killed in a campaign, and then the whole audit log is read.

Every record belongs to exactly one journey, no event is without a known cause, no journey lacks anything, and the
journeys together are the log. `python -m services.workbench.soak.journeys --users 1300` runs its own system and prints
figures; exit code 1 when a promise was broken. `tests/faults` runs the same.
"""

import argparse
import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, make_url, select

from services.audit import store
from services.audit.journeys import search
from services.audit.journeys.journey import Journey, journey
from services.contracts.service_list import SERVICES
from services.workbench.demo.counting import Line
from services.workbench.local.trial import READY_S, Trial, hastened, wrong
from services.workbench.soak.verdict import verdict

USERS = 1300  # their campaign has more than 2,000 commands
ROUNDS = 2  # kills of each service
SEND_WINDOW = 20  # mails that two senders may have in hand at a kill
MOST_PROBLEMS = 20
ROOT_PUBLISHER = "user"


class Survey(msgspec.Struct, frozen=True):
    """The journeys of a whole audit log: their number, their records, the longest one, and what is wrong."""

    records: int
    journeys: int
    longest: int
    problems: list[str]


class Seen(msgspec.Struct, frozen=True):
    """The result of a campaign with kills. `during` counts the commands between the first kill and the last restart."""

    commands: int
    during: int
    kills: int
    lost: list[Line]
    survey: Survey

    def problems(self) -> list[str]:
        """Return the promises that were broken, a line each."""
        return [*(f"{line.place}: {line}" for line in self.lost), *self.survey.problems[:MOST_PROBLEMS]]

    def in_words(self) -> str:
        """Return the figures for people."""
        return (
            f"commands accepted             {self.commands:,}, {self.during:,} of them while services were killed\n"
            f"kills                         {self.kills} with SIGKILL, {len(SERVICES)} services in turn\n"
            f"records in the audit log      {self.survey.records:,}\n"
            f"journeys                      {self.survey.journeys:,}, the longest has {self.survey.longest} records\n"
            f"faults of journeys            {len(self.survey.problems)}"
        )


def play(run: Trial, rounds: int = ROUNDS) -> Seen:
    """Run the trial's campaign, kill every service in turn from its middle on, and survey the journeys."""
    kills: list[str] = []
    accepted: list[int] = []

    async def kill_in_turn() -> None:
        accepted.append(len(run.accepted))
        for name in SERVICES * rounds:
            run.system.kill(name)
            kills.append(name)
            run.system.start(name)
            await asyncio.to_thread(run.system.wait_ready, READY_S, name)
        accepted.append(len(run.accepted))

    watch = run.play(kill_in_turn)
    run.system.stop(*SERVICES)
    with store.existing(make_url(f"sqlite:///{run.folder}/audit.db")) as connection:
        found = survey(connection)
    return Seen(
        commands=len(watch.accepted),
        during=accepted[-1] - accepted[0],
        kills=len(kills),
        lost=wrong(watch.lines(), mails_may_repeat=rounds * SEND_WINDOW),
        survey=found,
    )


def survey(connection: Connection) -> Survey:
    """Read every journey of an audit log as the API does, and compare them with the log."""
    places = {entry.position: entry.place for entry in store.read_entries(connection)}
    query = select(store.entries.c.correlation_id).distinct().order_by(store.entries.c.correlation_id)
    known = [name for name in connection.scalars(query) if name is not None]
    journeys = [journey(name, search.of_command(connection, name), personal=False) for name in known]
    sizes = [sum(len(event.records) for event in one.events) for one in journeys]
    return Survey(len(places), len(journeys), max(sizes, default=0), list(_problems(places, journeys)))


def _problems(places: dict[int, str], journeys: Sequence[Journey]) -> Iterator[str]:
    seen, homes = Counter[int](), defaultdict[str, set[str]](set)
    for one in journeys:
        for event in one.events:
            seen.update(record.position for record in event.records)
            homes[event.id].add(one.correlation_id)
            if event.depth == 0 and (event.caused_by is not None or event.publisher != ROOT_PUBLISHER):
                yield f"journey {one.correlation_id}: {event.type} {event.id} has no known cause"
        yield from (f"journey {one.correlation_id}: {line}" for line in one.missing)
    yield from (f"{place} is in {seen[number]} journeys" for number, place in places.items() if seen[number] != 1)
    yield from (f"a journey shows position {number}, the log has none" for number in seen.keys() - places.keys())
    yield from (
        f"event {name} is in journeys {', '.join(sorted(found))}" for name, found in homes.items() if len(found) > 1
    )


def main() -> int:
    """Run a system for it. Returns the exit code: 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=USERS, help=f"users of the campaign ({USERS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"kills of each service ({ROUNDS})")
    options = parser.parse_args()
    return verdict(lambda run: play(run, options.rounds), options.users, hastened)


if __name__ == "__main__":
    sys.exit(main())
