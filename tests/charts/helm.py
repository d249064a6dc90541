"""Runs Helm on the project's charts; a program of either major version."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from k8s.charts.settings import CHARTS

PROGRAMS = ("helm", "helm3")
RELEASE = "eventline"
KUBERNETES = "1.34.4"
DOCUMENTS = "\n---\n"
PRODUCTION = CHARTS / "eventline" / "values-production.yaml"

Resource = dict[str, Any]


class Helm:
    """One program."""

    def __init__(self, program: str) -> None:
        self._program = program

    def lint(self, chart: str, values: Path) -> subprocess.CompletedProcess[str]:
        """Check a chart strictly."""
        return self._run("lint", "--strict", str(CHARTS / chart), "--values", str(values))

    def template(self, chart: str, *arguments: str | Path, release: str = RELEASE) -> subprocess.CompletedProcess[str]:
        """Render a chart; the result tells why not, if not."""
        fixed = ("--namespace", "events", "--kube-version", KUBERNETES)
        return self._run("template", release, str(CHARTS / chart), *fixed, *(str(argument) for argument in arguments))

    @cache  # noqa: B019  # one of each program, for the whole run; nobody changes what it returns
    def resources(self, chart: str, *arguments: str | Path) -> list[Resource]:
        """Return what a chart renders. Fails the test when it is refused."""
        return parsed(self.rendered(chart, *arguments))

    def rendered(self, chart: str, *arguments: str | Path) -> str:
        """Return what a chart renders, as text. Fails the test when it is refused."""
        done = self.template(chart, *arguments)
        if done.returncode:
            pytest.fail(f"{self._program} template {chart} {arguments}: {done.stderr}")
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self._program, *arguments], capture_output=True, text=True, check=False)


def parsed(text: str) -> list[Resource]:
    """Return the resources of a rendered text."""
    found = (msgspec.yaml.decode(document) for document in ("\n" + text).split(DOCUMENTS))
    return [resource for resource in found if resource]


def found(program: str) -> Helm:
    """Return a program. Skips the test where the machine has none."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on PATH: get it from Helm's releases; the charts were not rendered with it")
    return Helm(program)


def given() -> list[tuple[str, Path]]:
    """Return every chart with each of the values under its ci/, and those for production."""
    paths = [*sorted(CHARTS.glob("*/ci/*-values.yaml")), PRODUCTION]
    return [(path.relative_to(CHARTS).parts[0], path) for path in paths]
