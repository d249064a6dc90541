"""Command-line options of a load."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

STEP_SECONDS = 10.0
LOAD_SECONDS = 60.0


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `console load`; every one has a default.

    A running system's broker is the setting `kafka_bootstrap_servers`, as for every command.
    """

    rate: Annotated[float, typer.Option(min=1, help="Requests a second; with --max-rate, of the first step.")] = 100.0
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help="How long; a step of the search, unless --of-max-rate."),
    ] = None
    max_rate: Annotated[bool, typer.Option("--max-rate", help="Step the rate up to the highest that is kept.")] = False
    of_max_rate: Annotated[
        float | None, typer.Option(min=0.1, max=1, help="Find the maximum rate, then load with this share.")
    ] = None
    population: Annotated[int, typer.Option(min=1, help="Users registered before anything is measured.")] = 500
    seed: Annotated[int, typer.Option(help="The same seed gives the same requests.")] = 1
    start: Annotated[bool, typer.Option("--start", help="Start a system for it, even if one runs.")] = False
    user_url: Annotated[str | None, typer.Option(help="A running system's user API; its broker is a setting.")] = None
    audit_url: Annotated[str | None, typer.Option(help="Its audit API.")] = None
    metrics_url: Annotated[list[str], typer.Option(help="Its /metrics for CPU and memory: NAME=URL, repeatable.")] = []
    history: Annotated[
        Path | None, typer.Option(help="Append each request to this file, for `reconcile --history`.")
    ] = None
    json: Annotated[Path | None, typer.Option(help="Write the result there too.")] = None
