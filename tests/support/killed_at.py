"""Runs a service that kills itself with SIGKILL just before or after its consumer commits a certain record.

`python -m tests.support.killed_at before|after TOPIC PARTITION OFFSET PROGRAM ARGUMENTS...`. "Before" is inside the
transaction, when everything but the commit is done.
"""

import os
import signal
import sys
from typing import Any

from services.chassis.consumer.offset_tracker import OffsetTracker
from services.chassis.messages.record import TopicPartition
from tests.support.killed import run

CALLS = {"before": "store", "after": "stored"}


def through(when: str, place: TopicPartition, offset: int) -> tuple[str, ...]:
    """Return the arguments between `python -m` and the program."""
    return __name__, when, place.topic, str(place.partition), str(offset)


def main(when: str, topic: str, partition: str, offset: str, program: str, *arguments: str) -> None:
    """Run the program."""
    place, boundary, name = TopicPartition(topic, int(partition)), int(offset), CALLS[when]
    inner = getattr(OffsetTracker, name)

    def call(tracker: OffsetTracker, *given: Any) -> None:
        inner(tracker, *given)
        positions = given[-1]
        if place in positions and positions[place].next_offset > boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(OffsetTracker, name, call)
    run(program, *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
