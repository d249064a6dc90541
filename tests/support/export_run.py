"""A run of an export on a topic of a test's own; as a program, one that is killed at a step that its arguments name.

`python -m tests.support.export_run BROKER TOPIC FOLDER FORMAT STEP`
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.chassis.messages.clock import utc_now
from services.console.export import position, source
from services.console.export.files import SUFFIX, Files
from services.console.export.formats import Format
from services.console.export.run import Exported, Run, Wanted
from services.console.export.source import BEGINNING
from services.contracts.catalog import Topic
from tests.support.broker import a_topic, settings

PARTITIONS = 3
BEFORE, AFTER = "before", "after"
# Where a run may be killed: before or after a call of a method.
STEPS: dict[str, tuple[str, Any, str]] = {
    "before the data": (AFTER, Files, "locked"),
    "within the data": (BEFORE, source, "read"),
    "before the commit": (BEFORE, Files, "commit"),
    "before the position is replaced": (AFTER, position, "text"),
    "after the position is replaced": (BEFORE, Files, "name_data"),
    "after the commit": (AFTER, Files, "commit"),
}


def the_topic(name: str) -> Topic:
    """Return a topic of PARTITIONS partitions for user facts."""
    return a_topic(name=name, partitions=PARTITIONS, types=("user.registered",))


def files(topic: str, folder: Path) -> Files:
    """Return the files of the topic's export in a folder."""
    return Files(folder / f"{topic}{SUFFIX}", topic)


def run(broker: str, topic: str, folder: Path, wanted: Wanted) -> Exported:
    """Run once."""
    return Run(settings(broker), the_topic(topic), files(topic, folder), utc_now).run(wanted)


def from_beginning(kind: str = "jsonl", *, personal: bool = True) -> Wanted:
    """Return that the whole topic is wanted."""
    return Wanted(BEGINNING, Format(kind), personal)


def _kill_at(step: str) -> None:
    when, owner, name = STEPS[step]
    original: Callable[..., Any] = getattr(owner, name)

    def killed(*arguments: Any, **named: Any) -> Any:
        if when == AFTER:
            original(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    def in_the_middle(*arguments: Any) -> Any:
        yield next(iter(original(*arguments)))
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, in_the_middle if name == "read" else killed)


if __name__ == "__main__":
    address, topic_name, target, kind_of_file, killed_at = sys.argv[1:]
    _kill_at(killed_at)
    run(address, topic_name, Path(target), from_beginning(kind_of_file))
