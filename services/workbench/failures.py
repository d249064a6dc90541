"""Exit codes and messages of the workbench's failures, besides those of the operator tools."""

from contextlib import AbstractContextManager

import aiohttp

from k8s.command import DeployError
from services.console import failures
from services.workbench.demo.client import RefusedError
from services.workbench.faults.table import FaultError
from services.workbench.local.ports import PortTakenError
from services.workbench.local.processes import ProcessError

CODES: failures.Codes = {
    **failures.CODES,
    PortTakenError: 3,
    ProcessError: 6,
    FaultError: 2,
    DeployError: 6,
    RefusedError: 7,
    aiohttp.ClientError: 7,
}
ADVICE = {
    **failures.ADVICE,
    aiohttp.ClientError: "a service does not answer: start the system with `make run`, or correct its address",
}


def reported() -> AbstractContextManager[None]:
    """Return a block whose expected errors end the process with a message and an exit code."""
    return failures.reported(CODES, ADVICE)
