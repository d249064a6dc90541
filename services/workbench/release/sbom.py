"""Software bills of materials (CycloneDX): of the Python lock by cyclonedx-py, of each image by syft."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from services.workbench.release.command import output
from services.workbench.release.images import Image
from services.workbench.release.plan import ReleaseError
from services.workbench.release.tools import go_tool, python_tool
from services.workbench.release.workspace import Workspace

LOCKED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z0-9,_-]+\])?==([^\s;\\]+)", re.MULTILINE)
Component = tuple[str, str]


def of_locks(workspace: Workspace) -> None:
    """Write the SBOM of each lock, with the hashes of all files, and compare it with the lock."""
    for lock in sorted(workspace.clone.glob("requirements*.lock")):
        path = workspace.part("sbom") / f"{lock.stem}.cdx.json"
        shape = ("--output-reproducible", "--output-format", "JSON", "--output-file", path)
        output(python_tool("cyclonedx-py"), "requirements", *shape, lock, within=workspace.clone)
        if missing := locked(lock.read_text()) - components(path):
            raise ReleaseError(f"{path.name} lacks {sorted(missing)}")


def of_images(workspace: Workspace, images: Sequence[Image]) -> None:
    """Write the SBOM of each image: packages of its base and of Python. The images are saved one after the other."""
    syft = go_tool("syft")
    for image in images:
        path = workspace.part("sbom") / f"image-{image.name}.cdx.json"
        archive = path.with_suffix(".tar")
        try:
            output("docker", "save", "--output", archive, image.reference, within=workspace.clone)
            described(syft, archive, image.reference, path)
        finally:
            archive.unlink(missing_ok=True)
        if not components(path):
            raise ReleaseError(f"{path.name} has no component: syft found nothing in {image.reference}")


def described(syft: Path, archive: Path, reference: str, path: Path) -> None:
    """Write the SBOM of an image in an archive of `docker save`."""
    name, _, version = reference.rpartition(":")
    source = ("--source-name", name, "--source-version", version)
    output(syft, "scan", f"docker-archive:{archive}", *source, "--output", f"cyclonedx-json={path}", within=path.parent)


def components(path: Path) -> set[Component]:
    """Return name and version of each component of an SBOM."""
    document = json.loads(path.read_text())
    return {(_normal(one["name"]), one["version"]) for one in document.get("components", ()) if "version" in one}


def locked(text: str) -> set[Component]:
    """Return name and version of each package of a lock."""
    return {(_normal(name), version) for name, version in LOCKED.findall(text)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
