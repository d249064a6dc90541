"""The repository's own files, judged by the checkers that their makers or users publish."""

from pathlib import Path

import pytest

from tests.release.conftest import Run

pytestmark = pytest.mark.release

FORMS = (".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/proposal.yml")
WORKFLOW = ".github/workflows/ci.yml"
SCHEMAS = {
    "vendor.github-workflows": (WORKFLOW,),
    "custom.github-workflows-require-timeout": (WORKFLOW,),
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": (".github/ISSUE_TEMPLATE/config.yml",),
    "vendor.renovate": ("renovate.json",),
    "vendor.compose-spec": ("docker-compose.yml",),
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_file_fits_the_schema_of_its_reader(judge: Run, schema: str) -> None:
    done = judge("check-jsonschema", "--builtin-schema", schema, *SCHEMAS[schema])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("schema", [name for name in SCHEMAS if name.startswith("vendor.")])
def test_a_file_that_does_not_fit_is_found(judge: Run, schema: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("jobs: 1\nbody: 1\nenabledManagers: 1\nservices: 1\nblank_issues_enabled: 1\n")
    assert judge("check-jsonschema", "--builtin-schema", schema, wrong).returncode == 1


def test_actionlint_finds_nothing_in_the_workflow(judge: Run) -> None:
    done = judge("actionlint", WORKFLOW)
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_an_unknown_runner_and_a_wrong_expression(judge: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(
        "on: push\njobs:\n  ci:\n    runs-on: ubuntu-1\n    steps:\n      - run: echo ${{ github.no_such }}\n"
    )
    found = judge("actionlint", wrong).stdout
    assert 'label "ubuntu-1" is unknown' in found
    assert 'property "no_such" is not defined' in found


def test_pre_commit_accepts_its_configuration(judge: Run) -> None:
    done = judge("pre-commit", "validate-config")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_is_as_editors_are_asked_to_write_it(judge: Run) -> None:
    done = judge("editorconfig-checker", "-no-color")
    assert done.returncode == 0, done.stdout


def test_a_file_that_an_editor_would_write_otherwise_is_found(judge: Run, tmp_path: Path) -> None:
    (tmp_path / ".editorconfig").write_text("root = true\n[*]\nend_of_line = lf\n")
    wrong = tmp_path / "wrong.txt"
    wrong.write_bytes(b"one\r\n")
    assert judge("editorconfig-checker", "-no-color", wrong).returncode == 1


def test_renovate_accepts_its_configuration(judge: Run) -> None:
    done = judge("renovate-config-validator", "--strict", "renovate.json")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_devcontainer_can_be_read(judge: Run) -> None:
    done = judge("devcontainer", "read-configuration", "--workspace-folder", ".")
    assert done.returncode == 0, done.stderr
