"""docs/rights.md: the table of `services.contracts.access`, a row for each grant."""

from pathlib import Path

from services.contracts.access import Grant, grants, kafka_name

PATH = Path(__file__).parents[3] / "docs/rights.md"
HEAD = """# Rights in Kafka
The least rights of each process: `services/contracts/access.py` derives them from the catalog and the list of services,
`make docs` this page. A test gives exactly these to the users of a broker that denies everything else, and runs the
system with them (`tests/integration/workbench/test_operations.py`).

Each process logs in as a user of its own, whose name begins with `eventline-`. `topics` is the administrator: in a
Kafka of ours a super user; in another it needs these rights to create topics. `operator` is a person who runs
`console lag` or `console events`.

**Nothing applies them for you**: that is not built yet. Each row is one call of Kafka's own `kafka-acls`, with
`--bootstrap-server` and `--command-config` of an administrator. Give the rights first and create the users last, so
that nobody can log in before its rights exist; topics need not be there yet. No process needs a right on the cluster or
on transactions, nor `Alter`, `Delete` or `DescribeConfigs`.

| User | `kafka-acls --add --allow-principal User:…` | Why |
|---|---|---|
"""


def text() -> str:
    """Return the whole document."""
    rows = (
        f"| `{kafka_name(one.user)}` | `{options(one)}` | {one.reason} |\n"
        for one in sorted(grants(), key=lambda one: one.user)
    )
    return HEAD + "".join(rows)


def options(grant: Grant) -> str:
    """Return a grant as options of `kafka-acls`."""
    named = (("--operation", grant.operations), ("--topic", grant.topics), ("--group", grant.groups))
    pattern = " --resource-pattern-type prefixed" if grant.prefixed else ""
    return " ".join(f"{option} {value}" for option, values in named for value in values) + pattern
