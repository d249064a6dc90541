"""The clean clone that a release is made from, and the folder that it is made into."""

import re
from pathlib import Path

import msgspec

from services.workbench.release.command import output
from services.workbench.release.plan import Plan, project_version

# The tag of images that are built for development, as the values of the charts have it.
DEVELOPMENT = "dev"


class Workspace(msgspec.Struct, frozen=True):
    """A clone at the revision of the plan, and the folder of the release."""

    plan: Plan
    clone: Path
    folder: Path

    def part(self, name: str) -> Path:
        """Return a folder of the release for a part, which is made if it is not there."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def cloned(root: Path, plan: Plan, clone: Path) -> None:
    """Clone a repository without sharing files with it, at the revision: nothing is in it that is not committed."""
    output("git", "clone", "--quiet", "--no-local", root, clone, within=root)
    output("git", "checkout", "--quiet", "--detach", plan.revision, within=clone)


def archived(workspace: Workspace) -> None:
    """Write the sources as an archive; the same commit gives the same bytes."""
    plan = workspace.plan
    file = workspace.folder / f"{plan.name()}.tar.gz"
    output("git", "archive", f"--prefix={plan.name()}/", f"--output={file}", plan.revision, within=workspace.clone)


def stamped(workspace: Workspace) -> None:
    """Write the version of the release into the charts of the clone: their own, their parts' and the images' tag."""
    before = re.escape(project_version(workspace.clone))
    version = workspace.plan.version
    for path in sorted(workspace.clone.glob("charts/*/Chart.yaml")):
        text = re.sub(rf"(\bversion: ){before}(?=[,\s])", rf"\g<1>{version}", path.read_text())
        path.write_text(re.sub(rf"^appVersion: {DEVELOPMENT}$", f'appVersion: "{version}"', text, flags=re.MULTILINE))
    for path in sorted(workspace.clone.glob("charts/*/values.yaml")):
        text = re.sub(rf"(\btag:) {DEVELOPMENT}(?=[,}}\s])", rf'\1 "{version}"', path.read_text())
        path.write_text(text)
