"""Images of a release, built by Docker from the clean clone."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from services.contracts.service_list import JOBS
from services.workbench.release.command import output
from services.workbench.release.plan import Plan, ReleaseError
from services.workbench.release.workspace import Workspace

PLATFORMS = ("linux/amd64", "linux/arm64")
LABEL = "org.opencontainers.image."


class Image(msgspec.Struct, frozen=True):
    """An image as the engine has it. A registry gives it a digest when it is pushed."""

    name: str
    reference: str
    id: str
    platform: str
    layers: list[str]


def built(workspace: Workspace) -> list[Image]:
    """Build the image of each service, one at a time, and check the labels. Writes images.json."""
    images = [_built(workspace, name) for name in JOBS]
    path = workspace.folder / "images.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(images), indent=2) + b"\n")
    return images


def buildable(clone: Path) -> list[str]:
    """Return the platforms, of those that a release is for, that this machine's builder offers."""
    offered = output("docker", "buildx", "inspect", within=clone)
    found = set(re.findall(r"linux/[a-z0-9]+", offered))
    return [platform for platform in PLATFORMS if platform in found]


def arguments(workspace: Workspace, name: str) -> tuple[str, ...]:
    """Return the arguments of `docker build` for a service's image, its tag apart."""
    plan = workspace.plan
    given = {"SERVICE": name, "VERSION": plan.version, "REVISION": plan.revision}
    pairs = (("--build-arg", f"{key}={value}") for key, value in given.items())
    created = ("--label", f"{LABEL}created={plan.committed}")
    return ("--file", "services/Dockerfile", *created, *(part for pair in pairs for part in pair))


def _built(workspace: Workspace, name: str) -> Image:
    reference = f"eventline/{name}:{workspace.plan.version}"
    tagged = (*arguments(workspace, name), "--tag", reference)
    output("docker", "build", "--quiet", *tagged, ".", within=workspace.clone)
    (seen,) = json.loads(output("docker", "image", "inspect", reference, within=workspace.clone))
    check_labels(reference, seen["Config"]["Labels"], workspace.plan)
    return Image(name, reference, seen["Id"], f"{seen['Os']}/{seen['Architecture']}", seen["RootFS"]["Layers"])


def check_labels(reference: str, labels: Mapping[str, Any], plan: Plan) -> None:
    """Compare the labels of an image with the plan. Raises ReleaseError."""
    wanted = {"version": plan.version, "revision": plan.revision, "created": plan.committed}
    wrong = {key: labels.get(LABEL + key) for key, value in wanted.items() if labels.get(LABEL + key) != value}
    if wrong:
        raise ReleaseError(f"{reference} has the labels {wrong}, not {wanted}: services/Dockerfile sets them")
