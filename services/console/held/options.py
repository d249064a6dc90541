"""The options of `console held`: which records are meant, and what an operator must write to act on them."""

import re
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from services.chassis.consumer.held.reasons import CAUSES, OPEN, State
from services.chassis.consumer.held.selection import Filters, Of
from services.chassis.messages.clock import zoned
from services.console.failures import UsageError

PLACE = re.compile(r"(?P<topic>[\w.-]+)\[(?P<partition>\d+)\]@(?P<offset>\d+)\Z")
ALL_CAUSES = ", ".join(cause.reason for cause in CAUSES)
Places = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RECORD]...", help="Records by their places, such as 'user.state.v1[3]@17'."),
]


class FilterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of every command; a record must fulfil all of them."""

    state: Annotated[str | None, typer.Option(help="parked or dead; `list` also knows applied and discarded.")] = None
    cause: Annotated[str | None, typer.Option(help=f"The reason for which it is held: {ALL_CAUSES}.")] = None
    topic: Annotated[str | None, typer.Option(help="The topic that it was read from.")] = None
    key: Annotated[str | None, typer.Option(help="Its key, such as a user id.")] = None
    since: Annotated[str | None, typer.Option(help="Held at this time or later: 2026-11-22T12:00:00Z.")] = None
    until: Annotated[str | None, typer.Option(help="Held before this time.")] = None


class ListOptions(FilterOptions, frozen=True, kw_only=True):
    """The options of `console held list`."""

    limit: Annotated[int, typer.Option(min=1, help="Show so many records.")] = 20


class ActOptions(FilterOptions, frozen=True, kw_only=True):
    """The options of `console held discard`, and most of those of `retry`."""

    records: Places = None
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, nothing is changed.")] = False
    reason: Annotated[str | None, typer.Option(help="Why; it is recorded with your name.")] = None
    acknowledge: Annotated[bool, typer.Option("--acknowledge", help="I know what it does to the order.")] = False


class RetryOptions(ActOptions, frozen=True, kw_only=True):
    """The options of `console held retry`."""

    force: Annotated[bool, typer.Option("--force", help="Also dead records whose retry failed three times.")] = False
    wait: Annotated[bool, typer.Option(help="Wait until the consumer has retried them.")] = True


def filters(options: FilterOptions, records: list[str] | None = None) -> Filters:
    """Return the filters of a command. Raises UsageError for a value that cannot be one."""
    if options.cause is not None and options.cause not in {cause.reason for cause in CAUSES}:
        raise UsageError(f"--cause {options.cause}: there is no such reason; there are {ALL_CAUSES}")
    return Filters(
        states=_states(options.state),
        cause=options.cause,
        topic=options.topic,
        key=options.key,
        since=_moment("--since", options.since),
        until=_moment("--until", options.until),
        records=tuple(map(place, records or ())),
    )


def place(text: str) -> Of:
    """Return the topic, partition and offset of a record's place. Raises UsageError."""
    if (found := PLACE.match(text)) is None:
        raise UsageError(
            f"{text!r} is no place of a record: write it as `console held list` does, 'user.state.v1[3]@17'"
        )
    return found["topic"], int(found["partition"]), int(found["offset"])


def _states(text: str | None) -> tuple[State, ...]:
    if text is None:
        return OPEN
    if text not in set(State):
        raise UsageError(f"--state {text}: there is no such state; there are {', '.join(State)}")
    return (State(text),)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return zoned(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} {error}: write 2026-11-22T12:00:00Z") from None
