"""The plan of a release: its version, its revision and its notes, and the reasons why it cannot be made."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.workbench.release.command import output

UNRELEASED = "Unreleased"
DRAFT = "draft"


class ReleaseError(Exception):
    """A release cannot be made; the message has each reason and what to do."""


class Plan(msgspec.Struct, frozen=True):
    """A release to be made. A draft may lack parts, which it names."""

    version: str
    revision: str
    committed: str  # RFC 3339
    notes: str
    draft: bool

    def name(self) -> str:
        """Return the name of its folder and its archive."""
        return f"eventline-{self.version}"


def planned(root: Path, *, draft: bool) -> Plan:
    """Return the plan of a release of the last commit. Raises ReleaseError with every reason against it."""
    version = project_version(root)
    if problems := list(_problems(root, version, draft=draft)):
        raise ReleaseError("\n".join(problems))
    return Plan(
        version=f"{version}-{DRAFT}" if draft else version,
        revision=output("git", "rev-parse", "HEAD", within=root),
        committed=output("git", "show", "--no-patch", "--format=%cI", "HEAD", within=root),
        notes=section(_changelog(root), version) or section(_changelog(root), UNRELEASED),
        draft=draft,
    )


def project_version(root: Path) -> str:
    """Return the version that pyproject.toml has."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return version


def section(changelog: str, title: str) -> str:
    """Return the text under `## TITLE` or `## TITLE - DATE`, empty where there is none."""
    parts = re.split(r"^## (.+)\n", changelog, flags=re.MULTILINE)
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        if heading.strip("[]").split("]")[0].split(" - ")[0].strip() == title:
            return text.strip()
    return ""


def _problems(root: Path, version: str, *, draft: bool) -> Iterator[str]:
    if output("git", "status", "--porcelain", within=root):
        yield "not everything is committed: a release is made of a commit, so commit or stash it (git status)"
    if draft:
        return
    changelog = _changelog(root)
    if not section(changelog, version):
        yield f"CHANGELOG.md has no text for {version}: name the section `## Unreleased` now `## {version} - DATE`"
    if section(changelog, UNRELEASED):
        yield f"CHANGELOG.md has text under `## Unreleased`: move it to {version}, which would contain the change"
    if output("git", "tag", "--list", f"v{version}", within=root):
        yield f"there is a tag v{version}: choose the next version (docs/versions.md), in pyproject.toml first"


def _changelog(root: Path) -> str:
    return (root / "CHANGELOG.md").read_text()
