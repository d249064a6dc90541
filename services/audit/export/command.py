"""The command `export`. Exit codes: 0 done, 2 not done, 130 interrupted."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from services.audit import report, store
from services.audit.export import writer
from services.audit.export.layout import ExportError, Layout
from services.audit.settings import StoreSettings
from services.audit.store import StoreError
from services.chassis.messages.terminal import print_line
from services.chassis.settings.environment import SettingsError, load


def export(directory: Annotated[Path, typer.Argument(help="a new folder, or an earlier export of this log")]) -> None:
    """Write what the newest published checkpoint covers of APP_DATABASE_URL: 0 done, 2 not done, 130 interrupted."""
    output = report.console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = load(StoreSettings, os.environ)
        with store.existing(settings.database) as connection:
            size = writer.write(connection, Layout(directory), settings.audit_origin, output)
        print_line(output, f"{directory}: {size:,} entries; `verify {directory} --policy FILE` needs no database")
    except KeyboardInterrupt:
        _end(130, "interrupted: the same command goes on")
    except (ExportError, SettingsError, StoreError, OSError) as error:
        _end(2, f"cannot export: {error}")


def _end(code: int, message: str) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(code)
