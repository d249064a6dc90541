"""Answers to clients against the log: lost writes, aborted reads, and reads that go back."""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from services.contracts.catalog import USER_EVENTS
from services.workbench.reconcile.evidence import Evidence
from services.workbench.reconcile.finding import Check, Finding
from services.workbench.reconcile.history import Operation, Result


def lost_writes(evidence: Evidence) -> Iterator[Finding]:
    """Find commands that were acknowledged, and no fact on the log has both the command and the version.

    One that changes nothing is answered with the version that is there. A client cannot know that it changes nothing if
    an earlier one of its kind was never answered: then the fact of that version may be any command's.
    """
    envelopes = [one.envelope for one in evidence.events(USER_EVENTS.name)]
    facts = {(one.subject, one.version, one.correlation_id) for one in envelopes}
    versions = {(one.subject, one.version) for one in envelopes}
    doubtful = _never_answered(evidence.history or ())
    for one in evidence.history or ():
        if one.result is not Result.OK or one.is_read or (one.user_id, one.version, one.command) in facts:
            continue
        may_change_nothing = doubtful.get((one.user_id, one.kind), one.ended) < one.ended
        if not (may_change_nothing and (one.user_id, one.version) in versions):
            yield Finding(f"{one.kind} of {one.user_id} was answered with version {one.version}", one.command)


def _never_answered(history: Sequence[Operation]) -> dict[tuple[str, str], float]:
    """Return when the first command of each user and kind began that has got no answer at all."""
    answered = {one.command for one in history if one.result is not Result.UNKNOWN}
    found: dict[tuple[str, str], float] = {}
    for one in history:
        if one.command not in answered:
            found[one.user_id, one.kind] = min(one.began, found.get((one.user_id, one.kind), one.began))
    return found


def aborted_reads(evidence: Evidence) -> Iterator[Finding]:
    """Find records and mails of commands that were refused each time, and versions read that no fact has."""
    operations = evidence.history or ()
    refused = {one.command for one in operations if one.result is Result.FAIL}
    refused -= {one.command for one in operations if one.result is not Result.FAIL}
    for topic in evidence.seen:
        for event in evidence.events(topic):
            if event.envelope.correlation_id in refused:
                yield Finding(f"{event.place} is of a refused command", event.envelope.correlation_id)
    for mail in evidence.mails or ():
        if mail.correlation_id in refused:
            yield Finding(f"the mail {mail.message_id} is of a refused command", mail.correlation_id)
    yield from _invented(evidence)


def nonmonotonic_reads(evidence: Evidence) -> Iterator[Finding]:
    """Find answers with an older version than an answer about the same user that had come before they were asked.

    A command that is repeated was asked for at its first attempt: its answer may be that of then, which did not arrive.
    """
    first: dict[str, float] = {}
    by_user: dict[str, list[Operation]] = defaultdict(list)
    for one in evidence.history or ():
        first[one.command] = min(one.began, first.get(one.command, one.began))
        if one.result is Result.OK and one.user_id:
            by_user[one.user_id].append(msgspec.structs.replace(one, began=first[one.command]))
    for operations in by_user.values():
        yield from _going_back(operations)


def _going_back(operations: list[Operation]) -> Iterator[Finding]:
    newest, running = 0, list[tuple[float, int]]()  # ends and versions of what may overlap the next one
    for one in sorted(operations, key=lambda one: one.began):
        while running and running[0][0] < one.began:
            newest = max(newest, heapq.heappop(running)[1])
        if one.version < newest:
            yield Finding(f"{one.kind} of {one.user_id}: version {one.version} after {newest}", one.command)
        heapq.heappush(running, (one.ended, one.version))


def _invented(evidence: Evidence) -> Iterator[Finding]:
    newest = evidence.newest_versions()
    for one in evidence.history or ():
        if one.result is Result.OK and one.is_read and one.version > newest.get(one.user_id, 0):
            yield Finding(f"version {one.version} of {one.user_id} was read, and no fact has it", one.command)


CHECKS = (
    Check(
        "lost write",
        "acknowledged, and no fact of it on the log",
        "no change by a command behind one of its kind that was never answered",
        lost_writes,
        ("history",),
    ),
    Check(
        "aborted read",
        "a record, mail or read version of a refused command",
        "a command whose outcome was once unknown",
        aborted_reads,
        ("history",),
    ),
    Check(
        "nonmonotonic read",
        "an older version than an earlier answer had",
        "requests that overlap; a command that is repeated may get the answer of its first attempt",
        nonmonotonic_reads,
        ("history",),
    ),
)
