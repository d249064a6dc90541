"""The commands `prove` and `check`. Exit codes: 0 proven, 1 not, 2 unreadable or misconfigured, 5 unknown key."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from services.audit import store
from services.audit.evidence import entry_proof, event_entries
from services.audit.evidence.entry_proof import NotProvenError, ProvenEntry
from services.audit.settings import StoreSettings
from services.audit.store import StoreError
from services.chassis.settings.environment import SettingsError, load
from services.chassis.transparency.note import MalformedNoteError, NoteError, UnknownKeyError
from services.chassis.transparency.policy import Checked, Policy, QuorumError
from services.chassis.transparency.proof import Proof, ProofError

NOT_PROVEN, UNREADABLE, UNKNOWN_KEY = 1, 2, 5
OUTPUT = Path("-")


def prove(
    wanted: Annotated[str, typer.Argument(metavar="ENTRY|EVENT_ID", help="the entry's position, or its event's id")],
    into: Annotated[
        Path | None, typer.Option("--into", help="the proof's file, - for the output; default: ENTRY.tlog-proof")
    ] = None,
) -> None:
    """Write the proof that an entry of APP_DATABASE_URL is in the newest published checkpoint."""
    with _explained():
        settings = load(StoreSettings, os.environ)
        with store.existing(settings.database) as connection:
            position = _position(connection, wanted)
            proof = entry_proof.prove(connection, position, settings.audit_origin)
        file = into or Path(f"{position}.tlog-proof")
        if file == OUTPUT:
            sys.stdout.buffer.write(bytes(proof))
        else:
            file.write_bytes(bytes(proof))
    typer.echo(f"{file}: give it to anybody with the log's policy; `check` verifies it without a database", err=True)


def _position(connection: Connection, wanted: str) -> int:
    if wanted.removeprefix("-").isdecimal():
        return int(wanted)
    found = event_entries.positions(connection, wanted)
    if not found:
        raise NotProvenError(f"no entry has the event id {wanted!r}: GET /audit/entries lists what is recorded")
    first, *others = found
    if others:
        listed = ", ".join(map(str, others))
        typer.echo(f"the event is logged {len(found)} times: {first} is proven, not {listed}", err=True)
    return first


def check(
    file: Annotated[Path, typer.Argument(metavar="PROOF")],
    policy: Annotated[Path, typer.Option("--policy", help="the log's and the witnesses' keys (C2SP tlog-policy)")],
) -> None:
    """Check a proof with a policy, and print what it proves. Needs no database."""
    with _explained():
        proof, trusted = _read(file, policy)
        for line in lines(*entry_proof.check(proof, trusted)):
            typer.echo(line)


def lines(entry: ProvenEntry, checked: Checked) -> Iterator[str]:
    """Yield what is proven, a line each."""
    yield f"proven: {entry.topic}[{entry.partition}]@{entry.offset}, timestamp {entry.timestamp_ms} ms"
    yield from (f"{part} sha256 {getattr(entry, part).hex()}" for part in ("key", "value", "headers"))
    witnesses = ", ".join(checked.cosigned_by) or "no witness"
    yield f"checkpoint of {checked.checkpoint.origin}: {checked.checkpoint.size} entries, cosigned by {witnesses}"


def _read(file: Path, policy: Path) -> tuple[Proof, Policy]:
    try:
        return Proof.parse(file.read_bytes()), entry_proof.read_policy(policy)
    except ValueError as error:
        typer.echo(f"cannot be read: {error}", err=True)
        raise typer.Exit(UNREADABLE) from None


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (UnknownKeyError, QuorumError) as error:
        typer.echo(f"not proven: {error}", err=True)
        raise typer.Exit(UNKNOWN_KEY) from None
    except (MalformedNoteError, OSError, SettingsError, StoreError) as error:
        typer.echo(f"cannot be read: {error}", err=True)
        raise typer.Exit(UNREADABLE) from None
    except (NoteError, ProofError, NotProvenError, ValueError) as error:
        typer.echo(f"not proven: {error}", err=True)
        raise typer.Exit(NOT_PROVEN) from None
