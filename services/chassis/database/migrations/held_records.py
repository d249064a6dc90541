"""Steps that several services' revisions take to the table of held records. A published step is never changed.

Programs of before this table read and write `parked`, which is a view of the parked rows from then on: both versions
of a service can work on one database, and each sees the keys that the other has parked.
"""

import sqlalchemy as sa
from alembic import op

OLD = ("topic", "partition", "offset", "timestamp_type", "timestamp_ms", "key", "value", "headers", "since", "again")
COPY = """
INSERT INTO held ({names}, topic_id, detail, reason)
SELECT {parked}, coalesce(progress.topic_id, ''), parked.reason,
       CASE WHEN parked.reason LIKE 'UnknownShapeError:%' THEN 'newer_version'
            WHEN parked.reason = 'behind an earlier one of its key' THEN 'behind'
            ELSE 'handler_failed' END
FROM parked LEFT JOIN progress ON progress.topic = parked.topic AND progress."partition" = parked."partition"
"""
VIEW = "CREATE VIEW parked AS SELECT {names}, detail AS reason FROM held WHERE state = 'parked'"
ON_POSTGRESQL = """
CREATE FUNCTION park() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO held ({names}, topic_id, detail) VALUES ({new}, '', NEW.reason);
  RETURN NEW;
END $$
"""
# COPY, with which a program inserts more than one row, needs a trigger; a view of one table is updated as it is.
ON_POSTGRESQL_INSERT = "CREATE TRIGGER park INSTEAD OF INSERT ON parked FOR EACH ROW EXECUTE FUNCTION park()"
SAME = 'topic = OLD.topic AND "partition" = OLD."partition" AND "offset" = OLD."offset" AND state = \'parked\''
ON_SQLITE = """
CREATE TRIGGER park INSTEAD OF INSERT ON parked BEGIN
  INSERT INTO held ({names}, topic_id, detail) VALUES ({new}, '', NEW.reason);
END
"""
ON_SQLITE_UPDATE = """
CREATE TRIGGER park_again INSTEAD OF UPDATE ON parked BEGIN
  UPDATE held SET again = NEW.again, detail = NEW.reason WHERE {same};
END
"""
ON_SQLITE_DELETE = "CREATE TRIGGER unpark INSTEAD OF DELETE ON parked BEGIN DELETE FROM held WHERE {same}; END"


def create() -> None:
    """Create the table."""
    op.create_table(
        "held",
        sa.Column("topic", sa.String(249), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("topic_id", sa.String(22), primary_key=True),
        sa.Column("timestamp_type", sa.SmallInteger(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("absent", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("state", sa.String(16), nullable=False, server_default="parked"),
        sa.Column("reason", sa.String(32), nullable=False, server_default="handler_failed"),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("due", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("published_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
    )
    op.create_index("held_by_reason", "held", ["state", "reason", "since"])
    _partial_index("held_by_key", ["topic", "key"], "state = 'parked'", "state = 'parked'")
    _partial_index("held_to_retry", ["topic", "partition", "offset"], "again", "again = 1")
    _partial_index("held_to_publish", ["since"], "due", "due = 1")


def index_ages() -> None:
    """Index the times by which dead and finished records are deleted."""
    for name in ("published", "finished"):
        known = f"{name}_at IS NOT NULL"
        _partial_index(f"held_{name}", [f"{name}_at"], known, known)


def replace_parked() -> None:
    """Create the table, move the parked records there, and leave a view in the place of their table."""
    create()
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    if on_postgresql:
        op.execute("LOCK TABLE parked IN ACCESS EXCLUSIVE MODE")  # no program parks a record behind the copy
    names, parked, new = (", ".join(f'{of}"{name}"' for name in OLD) for of in ("", "parked.", "NEW."))
    op.execute(COPY.format(names=names, parked=parked))
    op.drop_table("parked")
    op.execute(VIEW.format(names=names))
    on_sqlite = (ON_SQLITE, ON_SQLITE_UPDATE, ON_SQLITE_DELETE)
    for statement in (ON_POSTGRESQL, ON_POSTGRESQL_INSERT) if on_postgresql else on_sqlite:
        op.execute(statement.format(names=names, new=new, same=SAME))


def _partial_index(name: str, columns: list[str], on_postgresql: str, on_sqlite: str) -> None:
    op.create_index(name, "held", columns, postgresql_where=sa.text(on_postgresql), sqlite_where=sa.text(on_sqlite))
