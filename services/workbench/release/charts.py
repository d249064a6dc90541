"""Charts of a release, packaged by Helm and rendered once more from the package."""

import re

from services.workbench.release.command import output
from services.workbench.release.plan import ReleaseError
from services.workbench.release.workspace import Workspace

UMBRELLA = "eventline"
LIBRARY = re.compile(r"^type: library$", re.MULTILINE)
OURS = re.compile(r"image: \"?(?:\S+/)?eventline/[a-z-]+:([^\s\"@]+)")


def packaged(workspace: Workspace) -> None:
    """Package each chart that can be installed, and check that the packages refer to the images of the release."""
    folder = workspace.part("charts")
    for path in sorted(workspace.clone.glob("charts/*/Chart.yaml")):
        if not LIBRARY.search(path.read_text()):
            output("helm", "package", path.parent, "--destination", folder, within=workspace.clone)
    package = folder / f"{UMBRELLA}-{workspace.plan.version}.tgz"
    rendered = output("helm", "template", UMBRELLA, package, within=workspace.clone)
    check_tags(package.name, rendered, workspace.plan.version)


def check_tags(package: str, rendered: str, version: str) -> None:
    """Compare the tags of our images in rendered resources with the version. Raises ReleaseError."""
    tags = set(OURS.findall(rendered))
    if tags != {version}:
        raise ReleaseError(f"{package} refers to images with the tags {sorted(tags)}, not {version}")
