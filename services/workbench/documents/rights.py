"""docs/rights.md: the table of `services.contracts.access`, a row for each grant."""

from pathlib import Path

from services.contracts.access import Grant, grants, kafka_name

PATH = Path(__file__).parents[3] / "docs/rights.md"
HEAD = """# Rights in Kafka
The least rights of each process: `services/contracts/access.py` derives them from the catalog and the list of
services, `make docs` this page. Tests apply exactly these to a broker that denies everything else, run the system
with them (`tests/integration/workbench/test_operations.py`), and try every cell of user, resource and operation, by
the broker's own authorized operations and by doing it (`tests/integration/console/test_rights_matrix.py`).
`tests/e2e/test_rights.py` asks the broker of compose and of kind the same.

Each process logs in as a user of its own, whose name begins with `eventline-`. `topics` is the administrator: in a
Kafka of ours a super user; in another it needs these rights to create topics. `operator` is a person who runs
`console lag` or `console events`.

## How to apply them
- **`console rights`**, with the login of an administrator in `APP_KAFKA_USER`: a super user of the broker, or
  `eventline-topics` with `Alter` and `Describe` on the cluster. It creates topics, then rights in one request, and
  users last, so that nobody can log in before its rights exist. Users get their passwords from the folder
  `APP_RIGHTS_PASSWORDS`, which has a file for each, named `user`, `notification`, `audit` and so on; a user without a
  file is left alone. A password has 8 to 128 characters of `A-Z a-z 0-9 . _ ~ -`. Rights of our users beyond the
  table are removed; rights of others are left alone, and noted if they may change our topics. At the end the broker
  is asked, as each user with a file, what it may do; any difference is listed, and the exit code is 9. A second run
  changes nothing. `--check` never changes anything: exit code 1 if something differs.
- **It refuses** rights of `User:*` on our topics and groups, and denials for our users: both make the table untrue.
- **Strimzi**: `console rights --strimzi --cluster NAME` prints a `KafkaUser` for each user, without a broker. The
  `Kafka` resource needs `authorization: {type: simple}`. The operator then makes users, passwords and rights. Not
  tried with an operator.
- **By hand**: each row is one call of Kafka's own `kafka-acls`, with `--bootstrap-server` and `--command-config` of
  an administrator. Create the users last.

On this machine, beside `make run SECURE=1`, the passwords are in `.eventline/access/passwords`. Compare the broker with
the table:
<!-- executed by tests/integration/workbench/test_secure_commands.py -->
```sh
set -a; . .eventline/run/operator.env; set +a
export APP_RIGHTS_PASSWORDS=.eventline/access/passwords
export APP_KAFKA_USER=eventline-topics APP_KAFKA_PASSWORD=$(cat $APP_RIGHTS_PASSWORDS/topics)
.eventline/venv/bin/python -m services.console rights --check
```

Names begin with `APP_RIGHTS_PREFIX` (`eventline-`), groups with `APP_KAFKA_GROUP_PREFIX` (nothing). No process needs
a right on the cluster or on transactions, nor `Alter`, `Delete` or `DescribeConfigs`.

## The table
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
