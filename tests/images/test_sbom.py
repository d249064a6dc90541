"""SBOM of an image: every Python package that is in it, and the packages of its base. One image stands for all."""

import subprocess
from pathlib import Path

import pytest

from services.workbench.release.sbom import Component, components, described
from services.workbench.release.tools import built_tool
from tests.images.docker import Docker, Image

NAME = "user"
SAVE_S = 300
PACKAGES = "import importlib.metadata as m; print(*{f'{d.name}=={d.version}' for d in m.distributions()}, sep='\\n')"

pytestmark = pytest.mark.images


@pytest.fixture(scope="module")
def sbom(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> set[Component]:
    """Name and version of each component that syft finds in the image as `make images` left it."""
    syft = built_tool("syft")
    if syft is None:
        pytest.skip("syft is not built: `make release` builds it from its Go module")
    if docker.failure("image", "inspect", f"eventline/{NAME}:dev"):
        pytest.skip(f"there is no image eventline/{NAME}:dev: run `make images`")
    folder = tmp_path_factory.mktemp("sbom")
    archive, path = folder / "image.tar", folder / "image.cdx.json"
    save(f"eventline/{NAME}:dev", archive)
    described(syft, archive, f"eventline/{NAME}:dev", path)
    return components(path)


def save(reference: str, archive: Path) -> None:
    argv = ["docker", "save", "--output", str(archive), reference]
    subprocess.run(argv, check=True, capture_output=True, timeout=SAVE_S)


def test_every_python_package_of_the_image_is_in_it(sbom: set[Component], docker: Docker) -> None:
    found = Image(docker, NAME, f"eventline/{NAME}:dev").python(PACKAGES).split()
    installed = {
        (name.replace("_", "-").lower(), version) for name, _, version in (one.partition("==") for one in found)
    }
    assert len(installed) > 20
    assert installed <= sbom


def test_the_packages_of_the_base_are_in_it(sbom: set[Component]) -> None:
    assert {"libc6", "libssl3t64", "ca-certificates"} <= {name for name, _ in sbom}
