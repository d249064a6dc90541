"""Every check, made of the evidence of a system, and made again while effects may only be late."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import httpx
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from k8s.command import DeployError
from services.workbench.reconcile import client_checks, effect_checks, log_checks
from services.workbench.reconcile.evidence import Evidence
from services.workbench.reconcile.finding import Check, Finding

CHECKS = (*client_checks.CHECKS, *log_checks.CHECKS, *effect_checks.CHECKS)
EXAMPLES = 32  # of each anomaly
CONVERGED_S, PAUSE_S = 60.0, 3.0


class Checked(msgspec.Struct, frozen=True):
    """The outcome of a check. Findings are None if it could not be made, for want of a part of the evidence."""

    check: Check
    findings: Sequence[Finding] | None


def checked(evidence: Evidence) -> list[Checked]:
    """Make every check for which there is evidence."""
    return [Checked(check, list(check.find(evidence)) if _is_possible(check, evidence) else None) for check in CHECKS]


def settled(collect: Callable[[], Evidence], within: float) -> list[Checked]:
    """Look again while something is found, until what may only be late has had its time. Raises ConnectionError."""
    deadline = time.monotonic() + within
    while True:
        is_over = time.monotonic() > deadline
        try:
            outcome = checked(collect())
        except (httpx.HTTPError, SQLAlchemyError, DeployError) as error:
            if is_over:  # until then, a part that was just started may not answer yet
                raise ConnectionError(f"the system cannot be compared now: {error}") from error
        else:
            if is_over or is_well(outcome):
                return outcome
        time.sleep(PAUSE_S)


def examples(outcome: Iterable[Checked], audit_url: str) -> Iterator[str]:
    """Return a line for each of the first examples of what was found, with the address of its journey."""
    for check, findings in ((one.check, one.findings) for one in outcome):
        for one in islice(findings or (), EXAMPLES):
            journey = f", {audit_url}/audit/journeys/{one.command}.html" if one.command else ""
            yield f"{check.name}: {one.what}{journey}"


def is_well(outcome: Iterable[Checked]) -> bool:
    """Return whether nothing was found."""
    return not any(one.findings for one in outcome)


def _is_possible(check: Check, evidence: Evidence) -> bool:
    return all(getattr(evidence, need) is not None for need in check.needs)
