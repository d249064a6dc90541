"""The commands `keys make`, `show`, `rotate` and `secrets`: the key that signs the log's checkpoints.

Private keys go to files only, public ones are printed. Exit codes: 0 done, 2 not done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from services.audit.notary import key_secrets
from services.audit.notary.key_secrets import Names
from services.chassis.net.namespace_secrets import ACCOUNT, SERVER, Namespace, SecretsError
from services.chassis.transparency import key_file
from services.chassis.transparency.key_file import KeyFileError
from services.chassis.transparency.key_set import WITNESS, Parties

NameOfSeed = Annotated[str, typer.Option("--name", help="the name of a key that the file holds as a seed")]
STEPS = """
The log keeps its origin, and the earlier checkpoints their signatures. Now, in this order:
1. give both public keys to everybody who verifies, in a policy file each: OLD for checkpoints until now, NEW for later
2. add NEW as a line to APP_WITNESS_LOGS_FILE of each witness, beside OLD, and restart it
3. let APP_AUDIT_KEY_FILE name {into}, put NEW into APP_AUDIT_POLICY_FILE, and restart audit
4. destroy {file} once a checkpoint is published with NEW; keep OLD's public key for ever\
"""

app = typer.Typer(help=__doc__, add_completion=False)


@app.command()
def make(
    name: Annotated[str, typer.Option("--name", help="the log's origin, which is the key's name")],
    into: Annotated[Path, typer.Option("--into", help="the new file")],
    *,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="keep a key that is there")] = False,
) -> None:
    """Make a key in a new file that only its owner can read, and print the public key."""
    with _explained():
        kept = if_missing and into.exists()
        typer.echo((key_file.read(into, name) if kept else key_file.make(into, name)).vkey)


@app.command()
def show(file: Path, name: NameOfSeed = "") -> None:
    """Print the public key of a file."""
    with _explained():
        typer.echo(key_file.load(file, name).vkey)


@app.command()
def rotate(
    file: Path, into: Annotated[Path, typer.Option("--into", help="the new key's file")], name: NameOfSeed = ""
) -> None:
    """Make a second key of the same name in a new file, and print both public keys and the next steps."""
    with _explained():
        old = key_file.load(file, name)
        new = key_file.make(into, old.name)
    typer.echo(f"OLD {old.vkey}\nNEW {new.vkey}{STEPS.format(file=file, into=into)}")


@app.command()
def secrets(
    names: Annotated[tuple[str, str], typer.Argument(metavar="LOG WITNESS", help="the names of both Secrets")],
    url: Annotated[str, typer.Option("--witness-url", help="where the log reaches the witness")],
    name: Annotated[str, typer.Option("--name", help="the log's origin")],
    server: Annotated[str, typer.Option("--server", help="the API server")] = SERVER,
    account: Annotated[Path, typer.Option("--account", help="the folder of the pod's service account")] = ACCOUNT,
) -> None:
    """Make the Kubernetes Secrets of a log and its witness, both or none, from within a pod of their namespace."""
    with _explained():
        parties = Parties(name, WITNESS, url)
        typer.echo(key_secrets.ensure(Namespace(server, account), Names(*names), parties))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (KeyFileError, SecretsError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
