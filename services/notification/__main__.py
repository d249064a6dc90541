"""`python -m services.notification` runs the service; `… migrate` brings its schema to the newest and ends."""

import sys

import typer

from services.chassis.process import migrate as migrate_command
from services.chassis.process.runtime import main
from services.notification import bootstrap
from services.notification.settings import Settings, StoreSettings

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


if __name__ == "__main__":
    app()
