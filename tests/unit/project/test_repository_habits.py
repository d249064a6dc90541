"""Files for the repository's host and for editors: they name what is here, and call what CI calls.

`tests/release/test_checkers.py` has each judged by its own checker.
"""

import json
import re
import subprocess
import tomllib
from configparser import ConfigParser
from fnmatch import fnmatch
from functools import cache
from typing import Any

import msgspec
import pytest

from tests.support.command_blocks import ROOT

CI = ROOT / ".ci/run"
FORMS = ("bug", "proposal")
HABITS = (
    ".github/workflows/ci.yml",
    ".github/CODEOWNERS",
    *(f".github/ISSUE_TEMPLATE/{name}.yml" for name in (*FORMS, "config")),
    ".github/pull_request_template.md",
    ".devcontainer/devcontainer.json",
    ".devcontainer/Dockerfile",
    ".editorconfig",
    ".pre-commit-config.yaml",
    "renovate.json",
    "SECURITY.md",
)
PINNED = re.compile(r"[a-z-]+/[a-z-]+@[0-9a-f]{40}")
HOSTS = {"docs.renovatebot.com"}  # not fetched by any build
# Options of `uv pip compile` that Renovate refuses: the lock would stay as it is, and no pull request shows it.
REFUSED = {"--quiet", "--no-emit-find-links", "--no-emit-index-url", "--no-header", "--annotation-style"}


def text(name: str) -> str:
    return (ROOT / name).read_text()


def yaml(name: str) -> Any:
    return msgspec.yaml.decode(text(name))


@cache
def tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def matched(pattern: str) -> list[str]:
    """Return the files that a pattern of CODEOWNERS names, as .gitignore would have it."""
    path = pattern.lstrip("/")
    return [name for name in tracked() if pattern == "*" or fnmatch(name, f"{path}*" if path.endswith("/") else path)]


def test_the_workflow_only_calls_what_ci_runs_anywhere() -> None:
    [job] = yaml(".github/workflows/ci.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert [name.partition("@")[0] for name in used] == ["actions/checkout"]


def test_the_workflow_may_only_read_and_runs_no_code_that_can_be_replaced() -> None:
    workflow = yaml(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    [job] = workflow["jobs"].values()
    assert all(PINNED.fullmatch(step["uses"]) for step in job["steps"] if "uses" in step)
    assert "pull_request_target" not in text(".github/workflows/ci.yml")


def test_the_workflow_gives_ci_more_time_than_ci_gives_itself() -> None:
    [job] = yaml(".github/workflows/ci.yml")["jobs"].values()
    [minutes] = re.findall(r"^limit=\$\(\((\d+) \* 60\)\)$", CI.read_text(), re.MULTILINE)
    assert job["timeout-minutes"] >= int(minutes) + 10


@pytest.mark.parametrize("line", [line for line in text(".github/CODEOWNERS").splitlines() if line[:1] in {"*", "/"}])
def test_each_line_of_the_owners_is_of_files_that_are_here(line: str) -> None:
    pattern, *owners = line.split()
    assert owners
    assert matched(pattern), f"{pattern} matches no file"


def test_a_pattern_of_files_that_are_gone_is_found() -> None:
    assert matched("/services/no-such/") == []
    assert matched("/services/contracts/")


@pytest.mark.parametrize("name", FORMS)
def test_a_form_asks_each_question_once_and_points_to_pages_that_are_here(name: str) -> None:
    form = yaml(f".github/ISSUE_TEMPLATE/{name}.yml")
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 2
    for page in re.findall(r"\b(?:docs/[a-z-]+|[A-Z]{5,})\.md\b", text(f".github/ISSUE_TEMPLATE/{name}.yml")):
        assert (ROOT / page).exists(), page


def test_renovate_reads_the_lock_of_the_images_and_every_file_that_names_a_version() -> None:
    config = json.loads(text("renovate.json"))
    [pattern] = config["pip-compile"]["managerFilePatterns"]
    assert [name for name in tracked() if re.search(pattern.strip("/"), name)] == ["requirements.lock"]
    files = {
        "dockerfile": "services/Dockerfile",
        "docker-compose": "docker-compose.yml",
        "github-actions": ".github/workflows/ci.yml",
        "gomod": "tests/judges/go/go.mod",
        "helm-values": "charts/kafka/values.yaml",
        "maven": "services/workbench/local/pom.xml",
        "pip-compile": "requirements.lock",
    }
    assert files.keys() == set(config["enabledManagers"])
    assert set(files.values()) <= set(tracked())


def test_renovate_understands_how_the_lock_was_made() -> None:
    """It runs the command of the second line again: from the source file, with options that it knows."""
    _, command, *_ = text("requirements.lock").splitlines()
    assert command.startswith("#    uv pip compile ")
    assert "pyproject.toml" in command.split()
    assert not REFUSED & set(command.split())


def test_a_commit_runs_make_lint_and_nothing_of_another_repository() -> None:
    [repository] = yaml(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in repository["hooks"])


def test_editors_indent_as_the_formatter_does() -> None:
    config = ConfigParser(strict=True)
    config.read_string("[top]\n" + text(".editorconfig"))
    ruff = tomllib.loads(text("pyproject.toml"))["tool"]["ruff"]
    assert config["top"]["root"] == "true"
    assert config["*.py"] == {"indent_size": "4", "max_line_length": str(ruff["line-length"])}
    assert config["{Makefile,*.go,go.mod}"]["indent_style"] == "tab"


def test_the_devcontainer_has_what_ci_installs_and_what_the_local_broker_needs() -> None:
    installed = set(text(".devcontainer/Dockerfile").replace("\\\n", " ").split())
    by_ci = set(re.findall(r"missing\+=\(([a-z0-9 -]+)\)", CI.read_text()))
    wanted = {name for names in by_ci for name in names.split()} | {"make", "git", "default-jdk-headless", "maven"}
    assert wanted <= installed
    container = json.loads(text(".devcontainer/devcontainer.json"))
    assert container["postCreateCommand"] == "make lint"
    assert container["remoteUser"] == "developer"


def test_the_devcontainer_starts_from_the_base_of_the_images() -> None:
    bases = {re.findall(r"^FROM (\S+)", text(name), re.MULTILINE)[0] for name in
             (".devcontainer/Dockerfile", "services/Dockerfile")}  # fmt: skip
    assert len(bases) == 1


@pytest.mark.parametrize("name", HABITS)
def test_none_of_them_names_a_host_to_fetch_from(name: str) -> None:
    assert set(re.findall(r"https?://([^/\s\"]+)", text(name))) <= HOSTS


def test_every_page_that_the_security_policy_names_is_here() -> None:
    policy = text("SECURITY.md")
    linked = re.findall(r"\]\(([^)#:]+)\)", policy)
    named = re.findall(r"`((?:tests|docs)/[\w/.-]+)`", policy)
    assert [path for path in (*linked, *named) if not (ROOT / path).exists()] == []
