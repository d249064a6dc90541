"""`python -m services.witness` runs the witness; `… migrate` brings its schema to the newest and ends.

`… keys make` makes its key; `… keys show` prints the public key of a file.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.chassis.process import migrate as migrate_command
from services.chassis.process.runtime import main
from services.chassis.transparency import key_file, key_set
from services.chassis.transparency.key_file import KeyFileError
from services.witness import bootstrap
from services.witness.settings import Settings, StoreSettings

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
keys = typer.Typer(help="The witness's key.")
app.add_typer(keys, name="keys")


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Run the witness."""
    if context.invoked_subcommand is not None:
        return
    try:
        sys.exit(main("witness", Settings, bootstrap.build))
    except KeyFileError as error:
        sys.stderr.write(f"witness cannot start:\n{error}\n")
        sys.exit(2)


@app.command()
def migrate() -> None:
    """Bring the schema of APP_DATABASE_URL to the newest: 0 done, 1 not within APP_MIGRATE_WITHIN, 2 misconfigured."""
    sys.exit(migrate_command.main("witness", StoreSettings, bootstrap.REVISIONS))


@keys.command("make")
def make_key(
    *,
    into: Annotated[Path, typer.Option(help="the file of the new key")],
    name: Annotated[str, typer.Option(help="the name of the key and the witness")] = key_set.WITNESS,
    public: Annotated[Path | None, typer.Option(help="a file for the public key, beside the output")] = None,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="leave a file that is there")] = False,
) -> None:
    """Make a key, never over another one, and print its public key: 0 done, 2 not done."""
    try:
        if not (if_missing and into.exists()):
            key_file.make(into, name)
        vkey = key_file.read(into, name).cosignature_vkey
        if public:
            public.write_text(f"{vkey}\n")
    except (KeyFileError, OSError) as error:
        sys.stderr.write(f"no key made: {error}\n")
        sys.exit(2)
    sys.stdout.write(f"{vkey}\n")


@keys.command("show")
def show_key(
    path: Annotated[Path, typer.Argument(help="the file of the key")],
    name: Annotated[str, typer.Option(help="the name of the key and the witness")] = key_set.WITNESS,
) -> None:
    """Print the public key of a file: 0 done, 2 not done."""
    try:
        sys.stdout.write(f"{key_file.read(path, name).cosignature_vkey}\n")
    except KeyFileError as error:
        sys.stderr.write(f"no key: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    app()
