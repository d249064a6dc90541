"""`make new-service NAME=… READS=…` and `make remove-service NAME=…`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.console.failures import UsageError
from services.contracts.service_list import LOCAL, ROWS
from services.workbench.failures import reported
from services.workbench.local.system import ROOT
from services.workbench.new_service import change
from services.workbench.new_service.request import NewService, requested
from services.workbench.new_service.rows import inserted, removed, rows
from services.workbench.new_service.templates import files, owned

GENERATORS = ("k8s.dashboards", "k8s.alerts", "k8s.charts", "services.workbench.documents")
KEPT = ("user", "notification", "audit", "witness")  # not made by this generator
WRITTEN = """\
The service {name} is written; it reads {reads} and keeps the newest record of each key.
  files   {files}
  rows    {rows}
  derived by `make docs`: documents, dashboards, alert rules

What to do next
  make run                                          starts it with the others: http://127.0.0.1:{port}/schema
  curl http://127.0.0.1:{port}/{name}/KEY           the newest record of a key, such as a user's id
  make test ARGS="tests/unit/{name} tests/integration/{name}"
  services/{name}/domain.py, handlers.py            where its own rules go
  make remove-service NAME={name}                   takes all of it back
"""

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="Its name: lower-case letters and digits.")],
    reads: Annotated[str, typer.Argument(help="The topics that it reads, with commas between them.")],
) -> None:
    """Write a new service."""
    with reported():
        service = requested(name, [topic.strip() for topic in reads.split(",") if topic.strip()], ROWS)
        values, added = service.values(), rows(service.values())
        change.require_absent(ROOT, owned(values))
        contents = change.edited(ROOT, added, inserted)
        new = files(values)
        programs = [str(file.path) for file in new if file.path.suffix == ".py"]
        change.apply(ROOT, change.Change(new, owned(values), contents), lambda: _derive(programs))
    sys.stdout.write(_written(service, list(contents)))


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The name of a made service.")]) -> None:
    """Remove a made service: its folders, and its rows in shared files."""
    with reported():
        service = _made(name)
        values, taken = service.values(), rows(service.values())
        for path, content in change.edited(ROOT, taken, removed).items():
            path.write_text(content)
        change.delete(ROOT, owned(values))
        _derive(())
    sys.stdout.write(f"The service {name} is removed. Its database and its consumer group are not.\n")


def _made(name: str) -> NewService:
    for row in ROWS:
        if row.name == name and name not in KEPT:
            return NewService(row)
    made = [row.name for row in ROWS if row.name not in KEPT]
    raise UsageError(f"NAME={name!r} is not a made service; there are: {', '.join(made) or 'none'}")


def _derive(programs: Sequence[str]) -> None:
    """Put the imports of new programs in order, which depends on the name, and write what `make docs` writes."""
    tidy = [("ruff", "check", "--quiet", "--select=I", "--fix"), ("ruff", "format", "--quiet")]
    present = [path for path in programs if (ROOT / path).exists()]  # not if a failure took them back
    steps = [(*step, *present) for step in tidy] if present else []
    for step in [*steps, *((module,) for module in GENERATORS)]:
        argv = (sys.executable, "-m", *step)
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UsageError(f"python -m {step[0]} failed:\n{done.stdout.strip()}{done.stderr.strip()}")


def _written(service: NewService, edited: list[Path]) -> str:
    row, values = service.row, service.values()
    return WRITTEN.format(
        name=row.name,
        reads=", ".join(row.reads),
        files=", ".join(str(path) for path in owned(values)),
        rows=", ".join(str(path.relative_to(ROOT)) for path in edited),
        port=LOCAL.ports(row.slot).http,
    )


if __name__ == "__main__":
    app()
