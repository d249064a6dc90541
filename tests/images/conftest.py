"""Fixtures of the checks of images and compose file; without Docker the checks are skipped with a reason."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from services.contracts.service_list import JOBS
from tests.images.docker import Docker, Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def docker() -> Docker:
    """Docker's command line, where there is one."""
    program = shutil.which("docker")
    if program is None:
        pytest.skip("docker is not installed")
    return Docker(program, ROOT)


@pytest.fixture(params=JOBS)
def image(docker: Docker, request: pytest.FixtureRequest) -> Image:
    """Each of the images, as `make images` left it."""
    problem = docker.failure("info") and "the Docker engine does not answer"
    name = f"eventline/{request.param}:dev"
    problem = problem or (docker.failure("image", "inspect", name) and f"there is no image {name}: run `make images`")
    if problem:
        pytest.skip(problem)
    return Image(docker, request.param, name)


@pytest.fixture(scope="session")
def compose(docker: Docker) -> dict[str, Any]:
    """The compose file as Docker understands it, every profile included."""
    if docker.failure("compose", "version"):
        pytest.skip("docker has no compose: install its plugin")
    config: dict[str, Any] = json.loads(docker.output("compose", "--profile", "*", "config", "--format", "json"))
    return config
