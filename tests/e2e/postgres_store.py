"""An operator's psql queries on notification's database, in a container of compose or of Kubernetes."""

from collections.abc import Callable

DATABASE_NAME = "notification"
EMPTY = f"DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION {DATABASE_NAME}"
REPLICA = "SELECT user_id, version || ' ' || encode(digest, 'hex') FROM replica"
PSQL = ("psql", "-X", "-U", "postgres", "-d", DATABASE_NAME, "-v", "ON_ERROR_STOP=1", "-A", "-t", "-F", "=", "-c")


def read_replica(psql: Callable[[str], str]) -> dict[str, str]:
    """Return the version and digest of each user's state."""
    rows = (line.partition("=") for line in psql(REPLICA).splitlines())
    return {user: state for user, _, state in rows}
