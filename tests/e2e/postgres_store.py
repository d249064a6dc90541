"""An operator's psql queries on notification's database, in a container of compose or of Kubernetes."""

from collections.abc import Callable

from services.workbench.reconcile import psql

DATABASE_NAME = "notification"
EMPTY = f"DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION {DATABASE_NAME}"
REPLICA = "SELECT user_id, version || ' ' || encode(digest, 'hex') FROM replica"


def command(sql: str) -> tuple[str, ...]:
    """Return the command that runs SQL there."""
    return psql.argv(DATABASE_NAME, sql)


def read_replica(run: Callable[[str], str]) -> dict[str, str]:
    """Return the version and digest of each user's state."""
    return psql.pairs(run(REPLICA))
