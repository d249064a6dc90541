"""`make release`: everything that a release consists of, from a clean clone, up to the push."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.console import failures
from services.workbench.local.system import ROOT
from services.workbench.release.command import CommandError, MissingError
from services.workbench.release.describe import NOTES, SUMS, Outcome
from services.workbench.release.make import Steps, made
from services.workbench.release.plan import Plan, ReleaseError, planned

CODES: failures.Codes = {**failures.CODES, ReleaseError: 1, MissingError: 8, CommandError: 6}
LEFT_OUT = "left out by --without-images"
NEXT = """
Next, in this order (docs/releasing.md)
  read {folder}/{notes}
  git tag --annotate v{version} {revision} --message "Eventline {version}" && git push REMOTE v{version}
  push the images and the charts to your registry, and publish what is in {folder}
"""

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def release(
    *,
    draft: Annotated[
        bool, typer.Option("--draft", help="Take the notes of what is not released; name what lacks.")
    ] = False,
    checks: Annotated[str, typer.Option(help="Targets of the Makefile to run in the clone first.")] = "lint test",
    without_images: Annotated[bool, typer.Option("--without-images", help="Build no images; for a draft.")] = False,
    into: Annotated[Path | None, typer.Option(help="The folder; without, .eventline/releases/VERSION.")] = None,
) -> None:
    """Build, check and describe a release of the last commit."""

    def steps(parts: Steps) -> None:
        parts.check(checks.split()) if checks.split() else parts.leave_out("checks", "no target was named")
        parts.package()
        parts.inventory()
        parts.leave_out("images", LEFT_OUT) if without_images else parts.containers()

    with failures.reported(CODES):
        plan = planned(ROOT, draft=draft)
        folder = into or ROOT / ".eventline" / "releases" / plan.version
        outcome = made(ROOT, plan, folder, steps, _report)
    sys.stdout.write(_made(plan, folder, outcome))


def _report(step: str) -> None:
    sys.stdout.write(f"{step} ...\n")
    sys.stdout.flush()


def _made(plan: Plan, folder: Path, outcome: Outcome) -> str:
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    lines = [f"Eventline {plan.version} is in {folder}: {files} files, checksums in {SUMS}"]
    lines += [f"  {name}: {result}" for name, result in outcome.checks.items()]
    lines += [f"  not made here: {name}: {why}" for name, why in outcome.lacks.items()]
    if plan.draft:
        return "\n".join([*lines, "A draft is not for publication.", ""])
    return "\n".join(lines) + NEXT.format(folder=folder, notes=NOTES, version=plan.version, revision=plan.revision[:12])


if __name__ == "__main__":
    app()
