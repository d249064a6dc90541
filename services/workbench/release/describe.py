"""The description of a release: notes for people, release.json for programs, SHA256SUMS for both."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from services.workbench.release.images import PLATFORMS, Image
from services.workbench.release.plan import Plan

SUMS = "SHA256SUMS"
NOTES = "NOTES.md"
CHUNK = 1 << 20


class Outcome(msgspec.Struct, frozen=True):
    """The parts of a release: images, results of the checks, and what could not be made here with the reason."""

    images: Sequence[Image]
    checks: Mapping[str, str]
    lacks: Mapping[str, str]


def described(folder: Path, plan: Plan, outcome: Outcome) -> None:
    """Write release.json, the notes and, last, the checksums of every file."""
    document = {"plan": plan, "outcome": outcome}
    (folder / "release.json").write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    (folder / NOTES).write_text(notes(folder, plan, outcome))
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{_sha256(path)}  {path.relative_to(folder)}\n" for path in files]
    (folder / SUMS).write_text("".join(lines))


def notes(folder: Path, plan: Plan, outcome: Outcome) -> str:
    """Return the notes of a release as Markdown."""
    draft = ["This is a draft: do not publish it.", ""] if plan.draft else []
    charts = [f"- `charts/{path.name}`" for path in sorted((folder / "charts").glob("*.tgz"))]
    images = [f"| `{one.reference}` | {one.platform} | `{one.id}` |" for one in outcome.images]
    platforms = sorted({one.platform for one in outcome.images})
    built = f"Built for {', '.join(platforms) or 'no platform'}; a release is for {' and '.join(PLATFORMS)}."
    parts = [
        *(f"# Eventline {plan.version}", "", *draft, f"Commit {plan.revision} of {plan.committed}.", ""),
        *("## Changes", "", plan.notes, ""),
        *("## Images", "", "| Image | Platform | Id |", "|---|---|---|", *images, ""),
        f"{built} A registry prints the digest of each when it is pushed.",
        *("", "## Charts", "", *(charts or ["none"]), ""),
        *("## Checks", "", *(f"- {name}: {result}" for name, result in outcome.checks.items()), ""),
        *("## Not made here", "", *(f"- {name}: {why}" for name, why in outcome.lacks.items()), ""),
        *("## Verify", "", "`sha256sum --check SHA256SUMS`; `sbom/` lists what is inside, in CycloneDX.", ""),
    ]
    return "\n".join(parts)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
