"""`python -m services.audit` runs the audit service; `… migrate` brings its schema to the newest and ends.

`… verify` checks its store, or an export of it that `… export` wrote. `… restore` restores a lost store from the
topics. `… keys` has its signing keys. `… prove` writes the proof of an entry, which `… check` verifies without a
database.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from services.audit import bootstrap, report, store_check
from services.audit.completeness import command as completeness
from services.audit.evidence import commands as evidence
from services.audit.export import command as export_command
from services.audit.export import export_check
from services.audit.export.layout import ExportError
from services.audit.notary import key_commands
from services.audit.notary.witnesses import PolicyFileError
from services.audit.restore import command as restore_command
from services.audit.restore import from_export as export_restore
from services.audit.restore.command import RestoreError
from services.audit.settings import Settings, StoreSettings
from services.audit.store import StoreError
from services.audit.verification import BadEntryError, CutError, ForkedError
from services.chassis.consumer.offset_tracker import TopicChangedError
from services.chassis.kafka.admin import TopicsError
from services.chassis.process import migrate as migrate_command
from services.chassis.process.runtime import main
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry import logs
from services.chassis.transparency.key_file import KeyFileError
from services.chassis.transparency.note import NoteError, UnknownKeyError
from services.chassis.transparency.policy import Policy, QuorumError

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(key_commands.app, name="keys")
app.command()(evidence.prove)
app.command()(evidence.check)
app.command()(export_command.export)


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Run the audit service."""
    if context.invoked_subcommand is not None:
        return
    try:
        sys.exit(main("audit", Settings, bootstrap.build))
    except (StoreError, KeyFileError, PolicyFileError) as error:
        sys.stderr.write(f"audit cannot start:\n{error}\n")
        sys.exit(2)


@app.command()
def migrate() -> None:
    """Bring the schema of APP_DATABASE_URL to the newest: 0 done, 1 not within APP_MIGRATE_WITHIN, 2 misconfigured."""
    sys.exit(migrate_command.main("audit", StoreSettings, bootstrap.REVISIONS))


@app.command()
def verify(
    export: Annotated[Path | None, typer.Argument(help="a folder of `export`; default: the store")] = None,
    *,
    policy: Annotated[Path | None, typer.Option(help="tlog-policy: who must have signed the checkpoint")] = None,
) -> None:
    """Check the store of APP_DATABASE_URL, or an export: 0 whole, 1 changed, 2 none, 3 cut, 4 forked, 5 unknown key."""
    output = report.console()
    try:
        keys = None if policy is None else Policy.parse(policy.read_text())
        if export is None:
            store_check.verify(load(StoreSettings, os.environ), output, keys)
        elif keys is None:
            _end(2, "an export is verified with the keys of a policy: give --policy FILE")
        else:
            export_check.verify(export, output, keys)
    except BadEntryError as error:
        _end(1, f"the audit log has been changed: {error}")
    except CutError as error:
        _end(3, f"the audit log has been cut: {error}")
    except ForkedError as error:
        _end(4, f"the audit log has been forked: {error}")
    except (UnknownKeyError, QuorumError) as error:
        _end(5, f"the newest checkpoint is not to be trusted: {error}")
    except NoteError as error:
        _end(1, f"a checkpoint has been changed: {error}")
    except (SettingsError, StoreError, ExportError, OSError, ValueError) as error:
        _end(2, f"nothing to verify: {error}")


@app.command()
def restore(
    *,
    after_backup: Annotated[bool, typer.Option("--after-backup", help="add what came after a backup")] = False,
    from_export: Annotated[Path | None, typer.Option(help="a folder of `export`, which has the old order")] = None,
    policy: Annotated[Path | None, typer.Option(help="tlog-policy of the export's checkpoint")] = None,
) -> None:
    """Restore the log of APP_DATABASE_URL from the topics, or from an export: 0 done, 1 other records, 2 not done."""
    logs.configure("audit", "error")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if from_export is not None:
            _restore_export(from_export, policy, after_backup=after_backup)
            return
        topics, into = bootstrap.build_restore(load(Settings, os.environ))
        restore_command.run(topics, into, report.console(), after_backup=after_backup)
    except KeyboardInterrupt:
        again = "the same command" if from_export else "`restore --after-backup`"
        _end(130, f"stopped before the end: {again} goes on")
    except TopicChangedError as error:
        sys.stderr.write(f"cannot restore: {error}\n")
        sys.exit(1)
    except (SettingsError, RestoreError, StoreError, ExportError, TopicsError, SQLAlchemyError, OSError) as error:
        sys.stderr.write(f"cannot restore: {error}\n")
        sys.exit(2)


def _restore_export(folder: Path, policy: Path | None, *, after_backup: bool) -> None:
    if after_backup:
        raise RestoreError("--from-export adds to a backup by itself: leave --after-backup out")
    if policy is None:
        raise RestoreError("an export is verified first, with the keys of a policy: give --policy FILE")
    try:
        keys = Policy.parse(policy.read_text())
    except ValueError as error:
        raise RestoreError(f"the policy {policy} cannot be read: {error}") from None
    settings = load(StoreSettings, os.environ)
    database = bootstrap.open_store(settings)
    try:
        export_restore.run(database, settings.audit_origin, folder, keys, report.console())
    except (BadEntryError, CutError, ForkedError, NoteError) as error:
        _end(1, f"cannot restore, the export is not whole: {error}")
    finally:
        database.close()


@app.command()
def complete() -> None:
    """Compare the log of APP_DATABASE_URL with the broker's records: 0 complete, 1 incomplete, 2 unreadable."""
    logs.configure("audit", "error")
    try:
        settings = load(Settings, os.environ)
        sys.exit(0 if completeness.run(settings, bootstrap.read_broker(settings), report.console()) else 1)
    except (SettingsError, StoreError, ConnectionError, TopicsError) as error:
        _end(2, f"nothing to compare: {error}")


def _end(code: int, message: str) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(code)


if __name__ == "__main__":
    app()
