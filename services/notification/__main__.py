"""`python -m services.notification` runs the service; `… migrate` brings its schema to the newest and ends.

`… restore` restores a lost database from the topics. `… rebuild replica` rebuilds the replica of users beside it.
"""

import os
import signal
import sys
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.kafka.admin import TopicsError
from services.chassis.outbox.lease import LeaseHeldError, LeaseLostError
from services.chassis.process import migrate as migrate_command
from services.chassis.process.runtime import main
from services.chassis.projection import command as rebuild_command
from services.chassis.projection.command import Abandon, Check, DropOld, Options
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry import logs
from services.notification import bootstrap
from services.notification import restore as restore_command
from services.notification.restore import RestoreError
from services.notification.settings import RestoreSettings, Settings, StoreSettings
from services.notification.store.restore import OtherTopicError

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Run the notification service."""
    if context.invoked_subcommand is None:
        sys.exit(main("notification", Settings, bootstrap.build))


@app.command()
def migrate() -> None:
    """Bring the schema of APP_DATABASE_URL to the newest: 0 done, 1 not within APP_MIGRATE_WITHIN, 2 misconfigured."""
    sys.exit(migrate_command.main("notification", StoreSettings, bootstrap.REVISIONS))


@app.command()
def restore(
    *, after_backup: Annotated[bool, typer.Option("--after-backup", help="add what came after a backup")] = False
) -> None:
    """Restore the database of APP_DATABASE_URL from the topics: 0 done, 1 the topic does not allow it, 2 not done."""
    logs.configure("notification", "error")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        database, leases, source = bootstrap.build_restore(load(RestoreSettings, os.environ))
        restore_command.run(database, leases, source, Console(), after_backup=after_backup)
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the end: repeat the command\n")
        sys.exit(130)
    except OtherTopicError as error:
        sys.stderr.write(f"cannot restore: {error}\n")
        sys.exit(1)
    except (
        SettingsError,
        RestoreError,
        LeaseHeldError,
        LeaseLostError,
        ConnectionError,
        TopicsError,
        SQLAlchemyError,
    ) as error:
        sys.stderr.write(f"cannot restore: {error}\n")
        sys.exit(2)


@app.command()
def rebuild(name: str, *, check: Check = False, drop_old: DropOld = False, abandon: Abandon = False) -> None:
    """Rebuild a projection beside the live one and swap: 0 done, 1 --check found differences, 2 not done."""
    options = Options(check=check, drop_old=drop_old, abandon=abandon)
    sys.exit(rebuild_command.main(RestoreSettings, bootstrap.build_projections, name, options))


if __name__ == "__main__":
    app()
