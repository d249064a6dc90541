"""The users of 20 random moments and of the end, dumped live under kills, equal those that the log gives."""

import random
import sys
from pathlib import Path

import pytest

from services.workbench.local import postgres
from services.workbench.soak.moments import Size, play, system


@pytest.mark.long
def test_any_moment_built_from_the_log_is_the_one_that_was(
    database_url: str, tmp_path: Path, postgres_server: postgres.Server
) -> None:
    into = {"SQLite": f"sqlite:///{tmp_path}/then.db", "PostgreSQL": postgres_server.fresh_url()}
    size = Size(users=250, seed=random.randrange(10_000))
    sys.stdout.write(f"{size}\n")  # pytest shows it when a dump differs
    with system(tmp_path, database_url) as run:
        seen = play(run, database_url, into, size)
    sys.stdout.write(f"{seen.in_words()}\n")
    assert seen.problems() == []
