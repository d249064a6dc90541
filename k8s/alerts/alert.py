"""Alerts as data."""

from typing import Literal

import msgspec

from services.contracts.service_list import JOBS

Severity = Literal["page", "ticket"]
WATCHED = f'job=~"{"|".join(JOBS)}"'


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert. `when` is PromQL in which times and sizes have units (`> 2m`, `< 256MiB`): Prometheus gets numbers.

    `lasting` is how long the condition must hold before it fires. `summary` and `description` are Prometheus templates.
    """

    name: str
    when: str
    lasting: str
    severity: Severity
    summary: str
    description: str
    labels: dict[str, str] = {}

    @property
    def runbook(self) -> str:
        """The path of its runbook."""
        return f"docs/runbooks/{self.name}.md"
