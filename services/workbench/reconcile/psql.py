"""The rows of users where PostgreSQL has no port on this machine: by psql, in its container or pod."""

from collections.abc import Mapping, Sequence

from k8s.command import CONTEXT, NAMESPACE, RELEASE, run
from services.console.running import DOCKER_COMPOSE, IN_KIND
from services.workbench.local.system import ROOT

IN_POD = ("kubectl", "--context", CONTEXT, "--namespace", NAMESPACE, "exec", f"statefulset/{RELEASE}-postgres", "--")
IN_CONTAINER = ("docker", "compose", "--file", str(ROOT / "docker-compose.yml"), "exec", "--no-TTY", "postgres")
PREFIXES: Mapping[str, Sequence[str]] = {DOCKER_COMPOSE: IN_CONTAINER, IN_KIND: IN_POD}  # by the name of the system
PSQL = ("psql", "-X", "-U", "postgres", "-d", "user", "-v", "ON_ERROR_STOP=1", "-A", "-t", "-F", "=", "-c")
VERSIONS = "SELECT user_id, version FROM users"


def user_versions(prefix: Sequence[str]) -> dict[str, int]:
    """Return the version of each user's row. Raises CommandError, and DeployError if a program is missing."""
    rows = (line.partition("=") for line in run(*prefix, *PSQL, VERSIONS).splitlines())
    return {user_id: int(version) for user_id, _, version in rows}
