"""Commands of a program that run in the process of a test. They set up neither logging nor signal handlers there."""

import signal
from unittest.mock import patch

import typer
from typer.testing import CliRunner, Result

from services.chassis.telemetry import logs


def invoke(app: typer.Typer, *argv: object, url: str = "") -> Result:
    """Run a command on a database, if one is given; return its exit code and output."""
    environment = {"APP_DATABASE_URL": url} if url else {}
    with patch.object(logs, "configure"), patch.object(signal, "signal"):
        return CliRunner().invoke(app, list(map(str, argv)), env=environment)
