"""Docker's command line, and an image to look into. Containers are removed when they end."""

import json
import subprocess
from pathlib import Path
from typing import Any

LONG_S = 60
SEALED = ("--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")


class Docker:
    """Runs `docker ARGUMENTS` in the project's root."""

    def __init__(self, program: str, root: Path) -> None:
        self._program = program
        self._root = root

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end, whatever that is."""
        argv = [self._program, *arguments]
        return subprocess.run(argv, cwd=self._root, capture_output=True, text=True, check=False, timeout=LONG_S)

    def failure(self, *arguments: str) -> str:
        """Return the output of a failure, and nothing on success."""
        done = self.run(*arguments)
        return (done.stderr or "it failed") if done.returncode else ""

    def output(self, *arguments: str) -> str:
        """Return what was printed. A failure fails the test with the output."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()


class Image:
    """An image of a service. Containers of it have no network, and nothing that they could write to."""

    def __init__(self, docker: Docker, service: str, name: str) -> None:
        self.docker = docker
        self.service = service
        self.name = name

    def config(self) -> dict[str, Any]:
        """Return its configuration: user, labels, entry point."""
        config: dict[str, Any] = json.loads(self.docker.output("image", "inspect", self.name))[0]["Config"]
        return config

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it as it is meant to be."""
        return self.docker.run("run", *SEALED, self.name, *arguments)

    def shell(self, script: str) -> str:
        """Return what a shell script prints in it."""
        return self.docker.output("run", *SEALED, "--entrypoint=/bin/sh", self.name, "-c", script)

    def python(self, script: str) -> str:
        """Return what a Python script prints in it."""
        return self.docker.output("run", *SEALED, "--entrypoint=python", self.name, "-c", script)
