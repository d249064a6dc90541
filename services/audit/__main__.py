"""`python -m services.audit` runs the audit service; `… migrate` brings its schema to the newest and ends.

`… verify` checks its store. `… restore` restores a lost store from the topics. `… keys` has its signing keys.
`… prove` writes the proof of an entry, which `… check` verifies without a database.
"""

import os
import signal
import sys
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from services.audit import bootstrap, report, store_check
from services.audit.evidence import commands as evidence
from services.audit.notary import key_commands
from services.audit.notary.witnesses import PolicyFileError
from services.audit.restore import command as restore_command
from services.audit.restore.command import RestoreError
from services.audit.settings import Settings, StoreSettings
from services.audit.store import StoreError
from services.audit.verification import BadEntryError
from services.chassis.kafka.admin import TopicsError
from services.chassis.process import migrate as migrate_command
from services.chassis.process.runtime import main
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry import logs
from services.chassis.transparency.key_file import KeyFileError

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(key_commands.app, name="keys")
app.command()(evidence.prove)
app.command()(evidence.check)


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
def verify() -> None:
    """Check the store of APP_DATABASE_URL from beginning to end: 0 well, 1 not, 2 no store of this log."""
    output = report.console()
    try:
        store_check.verify(load(StoreSettings, os.environ), output)
    except (SettingsError, StoreError) as error:
        sys.stderr.write(f"nothing to verify: {error}\n")
        sys.exit(2)
    except BadEntryError as error:
        sys.stderr.write(f"the audit log has been changed: {error}\n")
        sys.exit(1)


@app.command()
def restore(
    *, after_backup: Annotated[bool, typer.Option("--after-backup", help="add what came after a backup")] = False
) -> None:
    """Restore the log of APP_DATABASE_URL from the topics as far as they reach back: 0 done, 1 refused, 2 not done."""
    logs.configure("audit", "error")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        topics, into = bootstrap.build_restore(load(Settings, os.environ))
        restore_command.run(topics, into, report.console(), after_backup=after_backup)
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the end: `restore --after-backup` goes on\n")
        sys.exit(130)
    except RestoreError as error:
        sys.stderr.write(f"cannot restore: {error}\n")
        sys.exit(1)
    except (SettingsError, StoreError, ConnectionError, TopicsError, SQLAlchemyError) as error:
        sys.stderr.write(f"cannot restore: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    app()
