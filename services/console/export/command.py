"""`console export`: its options, what contradicts in them, and the report of the run."""

import difflib
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import Clock
from services.console import failures
from services.console.events import moment_of
from services.console.export.files import SUFFIX, Files
from services.console.export.formats import Format
from services.console.export.run import Exported, Run, Wanted
from services.console.export.source import BEGINNING
from services.console.failures import WRONG, UnknownIdError, UsageError
from services.contracts.catalog import TOPICS, Topic
from services.contracts.envelope import to_text

CODES: failures.Codes = {**failures.CODES, OSError: 2}
ADVICE: Mapping[type[BaseException], str] = {
    **failures.ADVICE,
    OSError: "this run exported nothing: name a folder that you may write with --out, or make room, and repeat",
}
Write = Callable[[str], Any]


class ExportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `console export`."""

    topic: Annotated[str, typer.Argument(metavar="TOPIC", show_default=False)] = ""
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Start with the first record at or after a time, 2026-11-22T12:00:00Z, or with the beginning; "
            "the same command again goes on.",
        ),
    ] = None
    start: Annotated[Path | None, typer.Option("--from", metavar="FILE", help="Go on from a position file.")] = None
    format: Annotated[
        Format | None, typer.Option(help="Of the data files; without, jsonl, or that of the position file.")
    ] = None
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write, with --since; without, the current folder.")
    ] = None
    personal: Annotated[bool, typer.Option("--personal", help="Export personal data too.")] = False


def export(client: KafkaSettings, options: ExportOptions, clock: Clock, write: Write) -> int:
    """Export what is new, report it, and return the exit code: 1 if records were deleted before this run.

    Raises UsageError, UnknownIdError, OSError, and what the broker's clients raise.
    """
    topic = _topic(options.topic)
    wanted, files = _wanted(options, clock), _files(options, topic)
    done = Run(client, topic, files, clock).run(wanted)
    for line in _report(done, files):
        write(line)
    return WRONG if done.gaps else 0


def _topic(name: str) -> Topic:
    known = {topic.name: topic for topic in TOPICS}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise UnknownIdError(f"no topic {name!r} in the catalog; {meant}" if name else f"name a topic; {meant}")


def _wanted(options: ExportOptions, clock: Clock) -> Wanted:
    if (options.since is None) == (options.start is None):
        raise UsageError("name one of --since TIME, which starts an export, and --from FILE, which goes on with one")
    if options.start and options.out:
        raise UsageError("--out is for --since: with --from, files are written beside the position file")
    since = options.since
    if since not in {None, BEGINNING}:
        since = to_text(moment_of(f"--since {since!r}", since or "", clock(), f"{BEGINNING}, or "))
    return Wanted(since, options.format, options.personal)


def _files(options: ExportOptions, topic: Topic) -> Files:
    if options.start and not options.start.is_file():
        raise UsageError(f"there is no position file {options.start}: start an export with --since TIME")
    return Files(options.start or (options.out or Path()) / f"{topic.name}{SUFFIX}", topic.name)


def _report(done: Exported, files: Files) -> Iterator[str]:
    now = done.position
    if done.records:
        rate = f"in {done.seconds:.1f} s, {done.records / done.seconds:,.0f} a second"
        yield f"exported {done.records:,} records of {now.topic} {rate}, to {files.data(now)}"
    else:
        yield f"nothing new in {now.topic}"
    for reason, number in sorted(done.undecoded.items()):
        where = "the file has their bytes" if now.personal else "--personal exports their bytes"
        yield f"{number:,} of them could not be decoded, {reason}: {where}"
    for gap in done.gaps:
        offsets = f"offsets {gap.first} to {gap.last} of {now.topic}[{gap.partition}]"
        yield f"gap: {gap.records:,} records, {offsets}, were deleted before this run could export them"
    personal = " --personal" if now.personal else ""
    yield f"next time: console export {now.topic} --from {shlex.quote(str(files.position))}{personal}"
