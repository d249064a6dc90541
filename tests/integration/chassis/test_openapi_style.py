"""Spectral, a third-party linter, finds nothing in the OpenAPI documents of the services."""

import shutil
import subprocess
from pathlib import Path

import pytest
from litestar.serialization import encode_json

from tests.support.apis import applications

pytestmark = pytest.mark.long
SPECTRAL = "@stoplight/spectral-cli@6.16.3"
NOTHING = "No results with a severity of 'hint' or higher found!"
LIMIT_S = 300


def lint(folder: Path) -> str:
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("npx is not installed: apt-get install npm")
    (folder / ".spectral.yml").write_text('extends: ["spectral:oas"]\n')
    command = (npx, "--yes", SPECTRAL, "lint", "*.json", "--ruleset", ".spectral.yml", "--fail-severity", "hint")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False).stdout


@pytest.mark.parametrize("protected", [False, True])
def test_spectral_finds_nothing(tmp_path: Path, protected: bool) -> None:  # noqa: FBT001  # a parameter of the test
    for name, app in applications(protected=protected).items():
        (tmp_path / f"{name}.json").write_bytes(encode_json(app.openapi_schema.to_schema()))
    assert NOTHING in (output := lint(tmp_path)), output


def test_spectral_finds_an_operation_without_a_description(tmp_path: Path) -> None:
    document = encode_json(applications()["user"].openapi_schema.to_schema()).decode()
    (tmp_path / "user.json").write_text(document.replace('"description"', '"x-description"'))
    assert "operation-description" in lint(tmp_path)
