"""`make release` on a temporary repository: the commands of docs/releasing.md, and what they leave."""

import gzip
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from services.contracts.service_list import JOBS
from services.workbench.release.sbom import components, locked
from tests.support.command_blocks import ROOT, blocks_for, environment, execute

pytestmark = pytest.mark.release

RELEASE = ".eventline/venv/bin/python -m services.workbench.release"
COMMIT = "git -c user.name=t -c user.email=t@example.org commit --quiet --all --message next"


@pytest.fixture(scope="module")
def draft(repository: Path) -> Path:
    """The folder of a draft, as the commands of the page make it."""
    for block in blocks_for(__file__):
        code, output = execute(block.text, folder=repository)
        assert code == 0, output
    (folder,) = (repository / ".eventline/releases").iterdir()
    return folder


def git(repository: Path, *arguments: str) -> str:
    argv = ("git", *arguments)
    done = subprocess.run(argv, cwd=repository, env=environment(), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_draft_names_what_it_lacks(draft: Path) -> None:
    document = json.loads((draft / "release.json").read_text())
    assert document["plan"]["version"] == draft.name
    assert {"checks", "images"} <= document["outcome"]["lacks"].keys()
    notes = (draft / "NOTES.md").read_text()
    assert "This is a draft: do not publish it." in notes
    assert "- images: left out by --without-images" in notes


def test_the_archive_is_the_commit_and_nothing_else(draft: Path, repository: Path) -> None:
    with tarfile.open(draft / f"eventline-{draft.name}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if not archive.getmember(name).isdir()}
    assert names == set(git(repository, "ls-files").splitlines())


def test_the_charts_install_the_images_of_the_release(draft: Path) -> None:
    packages = {path.name for path in (draft / "charts").iterdir()}
    if not packages:
        pytest.skip("helm is not on PATH: no chart was packaged")
    assert f"eventline-{draft.name}.tgz" in packages
    assert {f"{name}-{draft.name}.tgz" for name in JOBS} <= packages
    with tarfile.open(draft / "charts" / f"eventline-{draft.name}.tgz") as archive:
        files = {name: archive.extractfile(name) for name in archive.getnames()}
        texts = {name: file.read().decode() for name, file in files.items() if file is not None}
    metadata = [text for name, text in texts.items() if name.endswith("Chart.yaml")]
    assert len(metadata) > len(JOBS)
    assert not [text for text in metadata if f"version: {draft.name}" not in text]
    assert not [name for name, text in texts.items() if name.endswith("values.yaml") and "tag: dev" in text]


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_the_sbom_of_a_lock_has_each_package_with_its_hashes(draft: Path, lock: str) -> None:
    path = draft / "sbom" / f"{Path(lock).stem}.cdx.json"
    document = json.loads(path.read_text())
    assert document["bomFormat"] == "CycloneDX"
    assert components(path) == locked((ROOT / lock).read_text())
    assert all(reference["hashes"] for one in document["components"] for reference in one["externalReferences"])


def test_vulnerabilities_are_a_verdict_only_where_they_were_looked_up(draft: Path) -> None:
    verdict = json.loads((draft / "vulnerabilities.json").read_text())
    notes = (draft / "NOTES.md").read_text()
    assert ("known vulnerabilities: not checked" in notes) == (verdict["checked"] == 0)


def test_every_file_has_its_checksum(draft: Path) -> None:
    listed = {line.split("  ")[1] for line in (draft / "SHA256SUMS").read_text().splitlines()}
    files = {str(path.relative_to(draft)) for path in draft.rglob("*") if path.is_file()}
    assert listed == files - {"SHA256SUMS"}


def test_the_clone_is_gone_and_the_repository_is_as_before(draft: Path, repository: Path) -> None:
    assert draft.is_dir()
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "tag") == ""


def test_the_same_commit_gives_the_same_archive(draft: Path, repository: Path) -> None:
    name = f"eventline-{draft.name}"
    again = subprocess.run(
        ["git", "archive", "--format=tar", f"--prefix={name}/", "HEAD"],  # noqa: S607
        cwd=repository,
        capture_output=True,
        check=True,
    ).stdout
    assert gzip.decompress((draft / f"{name}.tar.gz").read_bytes()) == again


def test_a_release_is_refused_with_every_reason(repository: Path) -> None:
    (repository / "LICENSE").write_text("changed\n")
    code, output = execute(RELEASE, folder=repository)
    git(repository, "checkout", "--", "LICENSE")
    assert code == 1
    assert "not everything is committed" in output
    assert "CHANGELOG.md has no text for" in output
    assert "text under `## Unreleased`" in output


def test_a_release_may_lack_nothing(repository: Path) -> None:
    """A repository that is ready, apart from what the command leaves out."""
    page = repository / "CHANGELOG.md"
    page.write_text(page.read_text().replace("## Unreleased\n", "## Unreleased\n\n## 0.1.0 - 2026-11-30\n", 1))
    assert execute(COMMIT, folder=repository)[0] == 0
    code, output = execute(f"{RELEASE} --checks= --into {repository}/.eventline/refused", folder=repository)
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")
    assert (code, "checks: no target was named; a draft may lack it: DRAFT=1" in output) == (1, True)
