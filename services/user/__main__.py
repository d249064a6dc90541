"""`python -m services.user` runs the user service; `… migrate` brings its schema to the newest and ends.

`… rebuild --check` folds the log and compares it with the store, `… rebuild users` rebuilds the table beside it.
`… as-of` builds the users of a moment. `… clear-flags` clears the flags of addresses.
`… restore` restores a lost database from the log.
"""

import os
import signal
import sys
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.database.database import Database
from services.chassis.kafka.admin import TopicsError
from services.chassis.messages.clock import utc_now
from services.chassis.messages.ids import new_id
from services.chassis.outbox.lease import LeaseHeldError, LeaseLostError
from services.chassis.process import migrate as migrate_command
from services.chassis.process.runtime import collect_rarely, main
from services.chassis.projection import command as rebuild_command
from services.chassis.projection.command import Abandon, Check, DropOld, Options
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry import logs
from services.user import bootstrap, rebuild_check
from services.user.as_of import command as as_of
from services.user.as_of import projection
from services.user.as_of.merge import LogError
from services.user.as_of.target import TargetError, target
from services.user.rebuild_check import StuckError
from services.user.restore import command as restore_command
from services.user.restore.restorer import DifferentLogError, RestoreError
from services.user.settings import Settings, StoreSettings

EVER = "1970-01-01T00:00:00Z"
OWN_PASSWORD = "APP_DATABASE_PASSWORD"  # noqa: S105  # a name
NOT_RESTORED = (SettingsError, RestoreError, LeaseHeldError, LeaseLostError)
SHOWN = 5  # differences listed one by one

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Run the user service."""
    if context.invoked_subcommand is None:
        sys.exit(main("user", Settings, bootstrap.build))


@app.command()
def migrate() -> None:
    """Bring the schema of APP_DATABASE_URL to the newest: 0 done, 1 not within APP_MIGRATE_WITHIN, 2 misconfigured."""
    sys.exit(migrate_command.main("user", StoreSettings, bootstrap.REVISIONS))


@app.command()
def rebuild(
    name: Annotated[str | None, typer.Argument(help="the projection: users", show_default=False)] = None,
    *,
    check: Check = False,
    drop_old: DropOld = False,
    abandon: Abandon = False,
) -> None:
    """Rebuild a projection beside the live one and swap: 0 done, 1 --check found differences, 2 not done."""
    if check and name in {None, projection.NAME}:
        sys.exit(_check())
    if name is None:
        sys.stderr.write("name what to rebuild, `users`, or add --check to compare only\n")
        sys.exit(2)
    options = Options(check=check, drop_old=drop_old, abandon=abandon)
    sys.exit(rebuild_command.main(Settings, bootstrap.build_projections, name, options))


def _check() -> int:
    logs.configure("user", "error")
    try:
        found = rebuild_check.check(bootstrap.build_rebuild(load(Settings, os.environ)), Console())
    except (SettingsError, StuckError, ConnectionError) as error:
        sys.stderr.write(f"cannot rebuild: {error}\n")
        return 2
    for difference in found[:SHOWN]:
        sys.stderr.write(f"{difference}\n")
    if found:
        sys.stderr.write(f"the log and the service differ in {len(found)} users\n")
        return 1
    Console().print("equal: the log alone gives every user as the service has it")
    return 0


@app.command("as-of")
def build_as_of(
    moment: Annotated[str, typer.Argument(metavar="TIME|SEQUENCE", help="2026-11-22T12:00:00Z, or a sequence number")],
    *,
    into: Annotated[str, typer.Option(help="the URL of an empty database, SQLite or PostgreSQL")],
    diff: Annotated[str | None, typer.Option(help="another moment: list what changed until then")] = None,
    personal: Annotated[bool, typer.Option("--personal", help="show personal data in differences")] = False,
) -> None:
    """Build users and reservations as of a moment from user.events.v1: 0 done, 1 the log has a gap, 2 not done."""
    logs.configure("user", "error")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    collect_rarely()
    try:
        settings, now = load(Settings, _for_another_database(into)), utc_now()
        wanted = as_of.Wanted(target(moment, now), target(diff, now) if diff else None, personal=personal)
        consoles = as_of.Consoles(Console(), Console(stderr=True))
        as_of.run(bootstrap.build_log(settings), wanted, Database(settings.database), consoles)
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the end; unfinished tables are removed\n")
        sys.exit(130)
    except LogError as error:
        sys.stderr.write(f"stopped, unfinished tables are removed: {error}\n")
        sys.exit(1)
    except (SettingsError, TargetError, ConnectionError, TopicsError, SQLAlchemyError) as error:
        sys.stderr.write(f"cannot build: {error}\n".replace("APP_DATABASE_URL", "--into"))
        sys.exit(2)


@app.command()
def restore(
    *, after_backup: Annotated[bool, typer.Option("--after-backup", help="append what came after a backup")] = False
) -> None:
    """Restore the database of APP_DATABASE_URL from the log: 0 done, 1 the log does not allow it, 2 not done."""
    logs.configure("user", "error")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    collect_rarely()
    try:
        topics, store = bootstrap.build_restore(load(Settings, os.environ))
        restore_command.run(topics, store, as_of.Consoles(Console(), Console(stderr=True)), after_backup=after_backup)
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the end: the same command goes on where it was; do not start the service\n")
        sys.exit(130)
    except (LogError, DifferentLogError) as error:
        sys.stderr.write(f"not restored: {error}\n")
        sys.exit(1)
    except (*NOT_RESTORED, ConnectionError, TopicsError, SQLAlchemyError) as error:
        sys.stderr.write(f"cannot restore: {error}\n")
        sys.exit(2)


@app.command("clear-flags")
def clear_flags(
    user_ids: Annotated[list[str] | None, typer.Argument(help="the users; or --since")] = None,
    *,
    since: Annotated[str | None, typer.Option(help="all flags set since this time: 2026-11-22T12:00:00Z")] = None,
) -> None:
    """Clear the flags of users, so that they get mail again: 0 done, 1 a user is unknown, 2 it could not be done."""
    logs.configure("user", "error")
    correlation_id = new_id()
    try:
        moment = _moment(since, user_ids)
        flags = bootstrap.build_contact_flags(load(StoreSettings, os.environ))
        cleared = flags.clear(user_ids or flags.since(moment), correlation_id)
    except (SettingsError, ValueError, SQLAlchemyError) as error:
        sys.stderr.write(f"cannot clear flags: {error}\n")
        sys.exit(2)
    sys.stderr.writelines(f"{line}\n" for line in cleared.refused)
    sys.stdout.writelines(f"{user_id}\n" for user_id in cleared.users)
    sys.stderr.write(f"cleared: {len(cleared.users)} flags; the events have the correlation id {correlation_id}\n")
    sys.exit(1 if cleared.refused else 0)


def _for_another_database(url: str) -> dict[str, str]:
    """Return our variables for another database than the service's own, whose password in a pod is not meant for it."""
    return {name: value for name, value in os.environ.items() if name != OWN_PASSWORD} | {"APP_DATABASE_URL": url}


def _moment(since: str | None, user_ids: list[str] | None) -> datetime:
    """Return the moment of --since. Raises ValueError for wrong arguments."""
    if not since and not user_ids:
        raise ValueError("name the users by their ids, or write --since 2026-11-22T12:00:00Z")
    if since and user_ids:
        raise ValueError("name users or give --since, not both")
    moment = datetime.fromisoformat(since or EVER)
    if moment.tzinfo is None:
        raise ValueError(f"--since {since} has no time zone: write 2026-11-22T12:00:00Z")
    return moment


if __name__ == "__main__":
    app()
