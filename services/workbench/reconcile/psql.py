"""The rows of users where PostgreSQL has no port on this machine: by psql, in its container or pod."""

from collections.abc import Mapping, Sequence

from k8s.command import CONTEXT, NAMESPACE, RELEASE, run
from services.console.running import DOCKER_COMPOSE, IN_KIND
from services.workbench.local.system import ROOT

IN_POD = ("kubectl", "--context", CONTEXT, "--namespace", NAMESPACE, "exec", f"statefulset/{RELEASE}-postgres", "--")
IN_CONTAINER = ("docker", "compose", "--file", str(ROOT / "docker-compose.yml"), "exec", "--no-TTY", "postgres")
PREFIXES: Mapping[str, Sequence[str]] = {DOCKER_COMPOSE: IN_CONTAINER, IN_KIND: IN_POD}  # by the name of the system
VERSIONS = "SELECT user_id, version FROM users"


def user_versions(prefix: Sequence[str]) -> dict[str, int]:
    """Return the version of each user's row. Raises CommandError, and DeployError if a program is missing."""
    return {user_id: int(version) for user_id, version in pairs(run(*prefix, *argv("user", VERSIONS))).items()}


def argv(database: str, sql: str) -> tuple[str, ...]:
    """Return the command that runs SQL in a database, as its superuser, and prints rows for `pairs`."""
    return ("psql", "-X", "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-A", "-t", "-F", "=", "-c", sql)


def pairs(output: str) -> dict[str, str]:
    """Return the rows of two columns."""
    rows = (line.partition("=") for line in output.splitlines())
    return {first: second for first, _, second in rows}
