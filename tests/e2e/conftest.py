"""The target of the stories: `--target local`, `compose` or `kind`, one system for the whole run."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from services.workbench.api_clients import ApiAuth
from services.workbench.local.trial import HISTORY
from services.workbench.polling import until
from services.workbench.reconcile.clients import client_anomalies
from services.workbench.reconcile.history import recording
from tests.e2e.compose_target import compose
from tests.e2e.kind_target import kind
from tests.support.stories.local_target import local
from tests.support.stories.story import Story
from tests.support.stories.target import Target

HERE = Path(__file__).parent
TARGETS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Target]]] = {
    "local": local,
    "compose": compose,
    "kind": kind,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of a system."""
    parser.addoption("--target", choices=sorted(TARGETS), default="local", help="where the end-to-end tests run")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and deselect those that need another system."""
    own = [item for item in items if item.path.is_relative_to(HERE)]
    others = tuple(f"test_{name}_" for name in TARGETS if name != _target(config))
    elsewhere = [item for item in own if item.path.name.startswith(others)]
    for item in own:
        item.add_marker("e2e")
    items[:] = [item for item in items if item not in elsewhere]
    config.hook.pytest_deselected(items=elsewhere)


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The system."""
    with TARGETS[_target(request.config)](tmp_path_factory.mktemp("e2e")) as target:
        yield target


@pytest.fixture(scope="session")
def story(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A person in front of the system. At the end, the answers to it and to each load are compared with the log."""
    history = tmp_path_factory.mktemp("story") / HISTORY
    # No connection is kept: after a part's restart it would be another's.
    with (
        recording(history) as recorder,
        httpx.Client(auth=ApiAuth(), timeout=20, limits=httpx.Limits(max_keepalive_connections=0)) as client,
    ):
        yield Story(target, client, lambda: f"e2e-{uuid.uuid4().hex[:12]}", recorder)
    histories = sorted(tmp_path_factory.getbasetemp().rglob(HISTORY))
    until("the log fits every answer", lambda: client_anomalies(target.kafka, histories), lambda found: not found)


@pytest.fixture(autouse=True)
def _nothing_ends_by_itself(target: Target) -> Iterator[None]:
    before = target.misfortunes()
    yield
    fresh = {what: report for what, report in target.misfortunes().items() if what not in before}
    for what, report in fresh.items():
        print(f"{what}\n{report}")  # noqa: T201  # the reason, beside the failure
    assert list(fresh) == [], "a part has ended by itself"


def _target(config: pytest.Config) -> str:
    return str(config.getoption("--target", "local"))
