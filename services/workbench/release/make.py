"""The steps of a release, in order. Nothing leaves the machine."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from services.workbench.release import charts, images, sbom, vulnerabilities
from services.workbench.release.command import MissingError, output
from services.workbench.release.describe import Outcome, described
from services.workbench.release.plan import Plan, ReleaseError
from services.workbench.release.workspace import Workspace, archived, cloned, stamped

# Targets whose results are committed: a release of other documents than those of its code is refused.
GENERATED = ("docs", "golden")
Report = Callable[[str], None]


class Steps:
    """Makes the parts of a release one after the other, and keeps the results."""

    def __init__(self, workspace: Workspace, report: Report) -> None:
        self._workspace = workspace
        self._report = report
        self._images: list[images.Image] = []
        self._checks: dict[str, str] = {}
        self._lacks: dict[str, str] = {}

    def check(self, targets: Sequence[str]) -> None:
        """Run targets of the Makefile in the clone, and compare what is generated with what is committed."""
        clone = self._workspace.clone
        for target in targets:
            self._report(f"make {target}, in the clone")
            output("make", target, within=clone)
            self._checks[f"make {target}"] = "passed"
        if targets:
            output("make", *GENERATED, within=clone)
            if changed := output("git", "status", "--porcelain", within=clone):
                raise ReleaseError(f"`make {' '.join(GENERATED)}` changes files: commit what it writes\n{changed}")
            self._checks[f"make {' '.join(GENERATED)}"] = "changes nothing"

    def package(self) -> None:
        """Archive the sources and package the charts."""
        self._report("sources and charts")
        archived(self._workspace)
        stamped(self._workspace)
        with self._part("charts"):
            charts.packaged(self._workspace)

    def inventory(self) -> None:
        """Write the SBOMs of the locks, and look up known vulnerabilities."""
        self._report("SBOM of the locks, known vulnerabilities")
        with self._part("SBOM of the locks"):
            sbom.of_locks(self._workspace)
        with self._part("known vulnerabilities"):
            self._checks["known vulnerabilities"] = vulnerabilities.looked_up(self._workspace).text()

    def containers(self) -> None:
        """Build the images, and write the SBOM of each."""
        self._report("images and their SBOMs")
        with self._part("images"):
            self._images = images.built(self._workspace)
            self._name_other_platforms()
        with self._part("SBOMs of the images"):
            sbom.of_images(self._workspace, self._images)

    def leave_out(self, name: str, reason: str) -> None:
        """Note a part that is not made. Raises ReleaseError unless it is a draft."""
        if not self._workspace.plan.draft:
            raise ReleaseError(f"{name}: {reason}; a draft may lack it: DRAFT=1")
        self._report(f"left out: {name} ({reason})")
        self._lacks[name] = reason

    def outcome(self) -> Outcome:
        """Return what was made, and what was not."""
        return Outcome(self._images, self._checks, self._lacks)

    def _name_other_platforms(self) -> None:
        offered = images.buildable(self._workspace.clone)
        for platform in images.PLATFORMS:
            if platform not in offered:
                self._lacks[f"images for {platform}"] = "this machine's builder has no emulation of it"

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        try:
            yield
        except MissingError as error:
            self.leave_out(name, str(error))


def made(root: Path, plan: Plan, folder: Path, steps: Callable[[Steps], None], report: Report) -> Outcome:
    """Make a release from a clean clone into a folder, which is replaced. Returns what was made."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory(prefix="eventline-release-") as temporary:
        workspace = Workspace(plan, Path(temporary) / "clone", folder)
        report(f"clone of {plan.revision[:12]}")
        cloned(root, plan, workspace.clone)
        made_by = Steps(workspace, report)
        steps(made_by)
    outcome = made_by.outcome()
    described(folder, plan, outcome)
    return outcome
