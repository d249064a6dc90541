"""`console secrets`: creates Kubernetes Secrets with generated passwords, from a pod of their namespace."""

from pathlib import Path
from typing import Annotated

import typer

from services.chassis.net.namespace_secrets import ACCOUNT, SERVER, Namespace, SecretsError
from services.console.failures import CODES, reported
from services.console.secrets.creation import ensure
from services.console.secrets.wanted import parse, parse_copies


def create(
    wanted: Annotated[list[str], typer.Argument(metavar="NAME:KEY[=VALUE],…", help="a Secret and its keys")],
    copy_from: Annotated[
        list[str] | None, typer.Option(metavar="NEW=OLD", help="take the values of an older Secret, if it exists")
    ] = None,
    release: Annotated[str, typer.Option(help="the Helm release that may take the Secrets over")] = "",
    server: Annotated[str, typer.Option(help="the API server")] = SERVER,
    account: Annotated[Path, typer.Option(help="the folder of the pod's service account")] = ACCOUNT,
) -> None:
    """Create the Kubernetes Secrets that are missing, with generated passwords. Changes no Secret that exists."""
    with reported({SecretsError: 2, OSError: 2, **CODES}):
        secrets = [parse(one) for one in wanted]
        copies = parse_copies(copy_from or [])
        for line in ensure(Namespace(server, account), secrets, copies, release):
            typer.echo(line)
