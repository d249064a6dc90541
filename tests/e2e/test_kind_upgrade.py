"""A release of commit 4ebe983 becomes one of today by `helm upgrade`: data and passwords are kept.

Builds the old images and makes a cluster of its own, in about fifteen minutes:
`pytest -m "e2e and on_demand" tests/e2e/test_kind_upgrade.py --target kind -o faulthandler_timeout=3600 -s`.
"""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s.command import RELEASE, run
from k8s.release import CHARTS
from services.workbench.polling import until
from tests.e2e.trial_cluster import BUILT, CLUSTER, TrialCluster, trial_cluster

pytestmark = pytest.mark.on_demand
OLD, TODAY = "4ebe983", "trial-1"
OLD_IMAGES = ("user", "notification", "audit", "console")
PASSWORDS = ("eventline-postgres", *(f"eventline-postgres-{name}" for name in ("user", "notification", "audit")))
REGISTER = """
import json, sys, urllib.request
body = json.dumps({"login": sys.argv[1], "email": sys.argv[1] + "@example.com", "full_name": "Ada"}).encode()
headers = {"Content-Type": "application/json"}
request = urllib.request.Request("http://127.0.0.1:8080/users", body, headers)
print(urllib.request.urlopen(request, timeout=30).headers["Location"].rpartition("/")[2])
"""


@pytest.fixture(autouse=True)
def _nothing_ends_by_itself() -> None:
    """Stands for the fixture of the other stories, whose system is not this one."""


@pytest.fixture(scope="module")
def old_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it was, with its images built."""
    folder = tmp_path_factory.mktemp("old")
    run("git", "-C", str(CHARTS.parent), "archive", "--output", f"{folder}/old.tar", OLD)
    run("tar", "--extract", "--file", f"{folder}/old.tar", "--directory", str(folder))
    for name in OLD_IMAGES:
        build = ("docker", "build", "--file", str(folder / "services/Dockerfile"), "--build-arg", f"SERVICE={name}")
        run(*build, "--tag", f"eventline/{name}:{OLD}", str(folder), seconds=1200)
    return folder


@pytest.fixture(scope="module")
def cluster(old_project: Path) -> Iterator[TrialCluster]:
    with trial_cluster() as cluster:
        run("kind", "load", "docker-image", "--name", CLUSTER, *(f"eventline/{name}:{OLD}" for name in OLD_IMAGES))
        cluster.tag(BUILT, TODAY)
        chart = str(old_project / "charts" / "eventline")
        cluster.helm("install", RELEASE, chart, "--create-namespace", *release_of(OLD))
        cluster.settle()
        yield cluster


def release_of(tag: str) -> tuple[str, ...]:
    """Return the arguments of a release with images of one tag."""
    return ("--set", f"global.image.tag={tag}", "--timeout", "15m")


def register(cluster: TrialCluster) -> str:
    """Register a user through the old API, and return the id."""
    login = f"u{uuid.uuid4().hex[:10]}"
    return cluster.kubectl("exec", f"deployment/{RELEASE}-user", "--", "python", "-c", REGISTER, login).strip()


def test_an_upgrade_from_the_release_of_before_keeps_data_and_passwords(cluster: TrialCluster) -> None:
    ids = {register(cluster) for _ in range(5)}
    entries = until("the audit log has them", lambda: _entries(cluster), lambda found: found >= len(ids), 120.0)
    (grafana,) = (json.loads(text) for text in cluster.kept("eventline-grafana").secrets.values())
    before = cluster.kept(*PASSWORDS)

    today = str(CHARTS / "eventline")
    cluster.helm("upgrade", RELEASE, today, *release_of(TODAY))
    cluster.settle()

    after = cluster.kept(*PASSWORDS)
    assert after.secrets == before.secrets
    assert before.volumes.items() <= after.volumes.items()
    assert set(before.topics.splitlines()) <= set(after.topics.splitlines())
    (copied,) = (json.loads(text) for text in cluster.kept("eventline-grafana-admin").secrets.values())
    assert copied == grafana
    assert not [one for one in cluster.objects("secrets") if one["metadata"]["name"] == "eventline-grafana"]
    assert ids <= set(cluster.psql("user", "SELECT user_id FROM users").splitlines())
    assert _entries(cluster) >= entries

    uids = {one["metadata"]["uid"] for one in cluster.objects("pods")}
    cluster.helm("upgrade", RELEASE, today, *release_of(TODAY))
    cluster.settle()
    assert {one["metadata"]["uid"] for one in cluster.objects("pods")} == uids


def _entries(cluster: TrialCluster) -> int:
    return int(cluster.psql("audit", "SELECT count(*) FROM entries"))
