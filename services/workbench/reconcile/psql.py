"""Rows of the services where PostgreSQL has no port on this machine: by psql, in its container or pod."""

from collections.abc import Mapping, Sequence

from k8s.command import CONTEXT, NAMESPACE, RELEASE, run
from services.chassis.consumer.held.reasons import State
from services.console.logins import DOCKER_COMPOSE, IN_KIND
from services.workbench.local.system import ROOT
from services.workbench.reconcile.evidence import Place

IN_POD = ("kubectl", "--context", CONTEXT, "--namespace", NAMESPACE, "exec", f"statefulset/{RELEASE}-postgres", "--")
IN_CONTAINER = ("docker", "compose", "--file", str(ROOT / "docker-compose.yml"), "exec", "--no-TTY", "postgres")
PREFIXES: Mapping[str, Sequence[str]] = {DOCKER_COMPOSE: IN_CONTAINER, IN_KIND: IN_POD}  # by the name of the system
VERSIONS = "SELECT user_id, version FROM {}"
DEAD = f"""SELECT topic || ' ' || partition, "offset" FROM held WHERE state = '{State.DEAD.value}'"""  # noqa: S608  # a constant


def versions(prefix: Sequence[str], service: str, table: str) -> dict[str, int]:
    """Return the version of each user in a table. Raises CommandError, and DeployError if a program is missing."""
    found = pairs(run(*prefix, *argv(service, VERSIONS.format(table))))
    return {user_id: int(version) for user_id, version in found.items()}


def dead(prefix: Sequence[str]) -> set[Place]:
    """Return where the records are that notification holds as dead. Raises what `versions` raises."""
    found = (line.replace("=", " ").split() for line in run(*prefix, *argv("notification", DEAD)).splitlines())
    return {Place(topic, int(partition), int(offset)) for topic, partition, offset in found}


def argv(database: str, sql: str) -> tuple[str, ...]:
    """Return the command that runs SQL in a database, as its superuser, and prints rows for `pairs`."""
    return ("psql", "-X", "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-A", "-t", "-F", "=", "-c", sql)


def pairs(output: str) -> dict[str, str]:
    """Return the rows of two columns."""
    rows = (line.partition("=") for line in output.splitlines())
    return {first: second for first, _, second in rows}
