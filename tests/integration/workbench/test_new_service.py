"""A service made by `make new-service`, in a clone of the last commit, with the commands of docs/extending.md.

It lints, passes its tests, runs in the local system, builds its replica and rebuilds it, and is gone without a trace.
"""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import TopicPartition
from services.contracts.service_list import SERVICES
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.polling import until
from tests.support.broker import write
from tests.support.command_blocks import ROOT, blocks_for, environment, execute
from tests.support.console_process import own_settings

pytestmark = pytest.mark.long

NAME = "billing"
FOLDERS = [f"services/{NAME}", f"tests/unit/{NAME}", f"tests/integration/{NAME}"]
ADA = {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"}
READY_S = 90.0
REBUILD = f"""
export PYTHONPATH=.
.eventline/venv/bin/python -m services.console rebuild {NAME}
.eventline/venv/bin/python -m services.console rebuild {NAME} --drop-old
"""


class Clone:
    """A clone with this checkout's packages and broker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)  # noqa: S607
        (folder / ".eventline").mkdir()
        for part in ("venv", "kafka"):
            (folder / ".eventline" / part).symlink_to((ROOT / ".eventline" / part).resolve())
        # Older than what was made from them: `make` must not set up the packages of this checkout again.
        for source in ("requirements.lock", "requirements-parquet.lock", "services/workbench/local/pom.xml"):
            os.utime(folder / source, (0, 0))

    def run(self, commands: str) -> str:
        """Run commands that must succeed, and return their output."""
        code, output = execute(commands, {"PYTHONPATH": str(self.folder)}, self.folder)
        assert code == 0, output
        return output

    def changed(self) -> list[str]:
        """Return the paths that differ from the last commit."""
        return [line[3:] for line in self.run("git status --porcelain --untracked-files=all").splitlines()]

    @contextlib.contextmanager
    def running(self, settings: dict[str, str], log: Path) -> Iterator[None]:
        """Run the local system of the clone, as `make run` does."""
        argv, variables = (sys.executable, "-m", "services.workbench", "run"), environment(**settings)
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv, cwd=self.folder, env=variables | {"PYTHONPATH": "."}, stdout=output, stderr=output
            )
        try:
            until("the system", log.read_text, lambda text: "up until Ctrl-C" in text, READY_S)
            yield
        finally:
            process.terminate()
            process.wait(READY_S)


def test_a_made_service_works_at_once_and_is_removed_without_a_trace(tmp_path: Path) -> None:
    make, check, remove = (block.text for block in blocks_for(__file__))
    clone = Clone(tmp_path / "clone")
    assert f"services/{NAME}" in clone.run(make)
    others = [f"{root}/{name}/" for root in ("services", "charts") for name in (*SERVICES, "console")]
    assert [path for path in clone.changed() if path.startswith(tuple(others))] == []
    clone.run(LINT)
    assert " passed" in clone.run(check)
    it_builds_its_replica(clone, tmp_path)
    clone.run(remove)
    assert clone.changed() == []


LINT = f"""
python=.eventline/venv/bin/python
$python -m ruff check --quiet
$python -m ruff format --check --quiet
$python -m mypy --cache-dir={ROOT}/.mypy_cache {" ".join(FOLDERS)}
.eventline/venv/bin/lint-imports
$python -m vulture
$python -m tests.support.jargon
project=tests/unit/project contracts=tests/unit/contracts
schema=tests/integration/chassis/test_migrations.py::test_migrations_make_exactly_the_tables_that_the_code_declares
$python -m pytest -q -p no:cacheprovider tests/unit/k8s/test_kind.py \
  $contracts/test_catalog.py $contracts/test_service_list.py $project/test_architecture.py \
  $project/test_health_table.py $project/test_operations_page.py "$schema[sqlite-{NAME}]" "$schema[postgresql-{NAME}]"
"""


def it_builds_its_replica(clone: Clone, folder: Path) -> None:
    port, metrics = free_ports(2)
    (clone.folder / ".eventline" / "state").mkdir()
    settings = own_settings(clone.folder / ".eventline" / "state") | {
        f"APP_{NAME.upper()}_PORT": str(port),
        f"APP_{NAME.upper()}_METRICS_PORT": str(metrics),
    }
    broker = f"{HOST}:{settings['APP_BROKER_PORT']}"
    with clone.running(settings, folder / "run.log"):
        registered = httpx.post(f"http://{HOST}:{settings['APP_USER_PORT']}/users", json=ADA).raise_for_status().json()
        url = f"http://{HOST}:{port}/{NAME}/{registered['user_id']}"
        kept = until("the user", lambda: httpx.get(url), lambda answer: answer.status_code == 200).json()
        assert [record["value"]["personal"]["email"] for record in kept["records"]] == [ADA["email"]]
        assert f"{NAME}_records 1.0" in httpx.get(f"http://{HOST}:{metrics}/metrics").text
        write(broker, "user.state.v1", b"no JSON")
        letters = TopicPartition(f"{NAME}.dlq.v1", 0)
        admin = KafkaAdmin(KafkaSettings(kafka_bootstrap_servers=broker), "test")
        until("its dead letter", lambda: admin.ends([letters])[letters], lambda end: end == 1)
        spoil(clone.folder / ".eventline" / "state" / "run" / f"{NAME}.db")
        assert httpx.get(url).json() != kept
        code, output = execute(REBUILD, settings | {"APP_KAFKA_BOOTSTRAP_SERVERS": broker}, clone.folder)
        assert code == 0, output
        reports = "1 rows differ", f"swapped: {NAME}", f"dropped: {NAME}_records_replaced"
        assert [report for report in reports if report not in output] == []
        assert httpx.get(url).json() == kept


def spoil(store: Path) -> None:
    """Change the only row by hand, as a bug would."""
    with contextlib.closing(sqlite3.connect(store)) as connection, connection:
        assert connection.execute(f"UPDATE {NAME}_records SET version = version + 1").rowcount == 1  # noqa: S608  # our own name
