"""Known vulnerabilities of the packages of the lock, by pip-audit, where its database can be reached."""

import json
import subprocess
from typing import Any

import msgspec

from services.workbench.release.command import environment
from services.workbench.release.tools import python_tool
from services.workbench.release.workspace import Workspace

PATIENCE_S = 300.0
OPTIONS = ("--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json")


class Verdict(msgspec.Struct, frozen=True):
    """The packages that were looked up, those that were not, and what is known against each."""

    checked: int
    unchecked: int
    found: list[str]
    reason: str = ""

    def text(self) -> str:
        """Return the verdict in a sentence. Nothing found is no verdict where nothing could be looked up."""
        if not self.checked:
            return f"not checked: {self.reason or 'the database knows none of the packages from here'}"
        rest = f"; {self.unchecked} could not be looked up" if self.unchecked else ""
        return f"{len(self.found)} known in {self.checked} packages{rest}" + "".join(f"\n- {one}" for one in self.found)


def looked_up(workspace: Workspace) -> Verdict:
    """Look up each package of requirements.lock. Writes vulnerabilities.json."""
    argv = (str(python_tool("pip-audit")), *OPTIONS, "--requirement", "requirements.lock")
    done = subprocess.run(
        argv, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=workspace.clone
    )
    verdict = judged(done.stdout, done.stderr)
    (workspace.folder / "vulnerabilities.json").write_bytes(msgspec.json.encode(verdict) + b"\n")
    return verdict


def judged(report: str, errors: str) -> Verdict:
    """Return the verdict of a report in JSON, or of the errors where there is none."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        last = (errors.strip().splitlines() or ["pip-audit printed nothing"])[-1]
        return Verdict(0, 0, [], last)
    unchecked = [one for one in packages if "skip_reason" in one]
    found = [
        f"{one['name']} {one['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'no version'}"
        for one in packages
        for known in one.get("vulns", ())
    ]
    return Verdict(len(packages) - len(unchecked), len(unchecked), found, _first_reason(unchecked))


def _first_reason(unchecked: list[dict[str, Any]]) -> str:
    return str(unchecked[0]["skip_reason"]) if unchecked else ""
