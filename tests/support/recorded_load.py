"""A load whose requests are recorded, with something beside it, and every check afterwards."""

import asyncio
import random
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from services.chassis.http.problems import Problem
from services.workbench.api_clients import api_session
from services.workbench.demo.client import UserApi
from services.workbench.load.generator import Generator
from services.workbench.load.mix import Mix
from services.workbench.load.run import Pace
from services.workbench.reconcile.checks import CONVERGED_S, examples, settled
from services.workbench.reconcile.collection import System, collected
from services.workbench.reconcile.history import Operation, Result, read, recording

USERS, CONCURRENCY, SEED = 20, 8, 7
PATIENCE_S = 120.0  # longer than any fault


async def load_beside(url: str, history: Path, pace: Pace, beside: Coroutine[Any, Any, None]) -> None:
    """Send requests to a user API at a pace while something else happens; record them in a history."""
    with recording(history) as recorder:
        async with api_session() as session, asyncio.TaskGroup() as group:
            generator = Generator(UserApi(session, url, PATIENCE_S, recorder), history.stem, SEED)
            await generator.populate(USERS, CONCURRENCY)
            mix = Mix(USERS, random.Random(SEED))  # seeded, not secret
            group.create_task(beside)
            await generator.play(mix.plan(pace.rate, pace.seconds), pace.seconds, lambda *_: None)


def anomalies(system: System, history: Path) -> list[str]:
    """Compare everything, again and again for a minute while something is found; return a line for each anomaly."""
    outcome = settled(partial(collected, system, list(read(history))), CONVERGED_S)
    return list(examples(outcome, system.audit_url))


def unanswered(history: Path) -> list[Operation]:
    """Return the requests without an answer, or with one that leaves their outcome unknown."""
    return [one for one in read(history) if one.result is Result.UNKNOWN]


def problem_of(operation: Operation) -> Problem | None:
    """Return the problem detail of a request's 503, None if it had another answer or none."""
    status, _, body = operation.error.partition(" ")
    return msgspec.json.decode(body, type=Problem) if status == "503" else None
