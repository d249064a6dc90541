"""Expected effects of a load, and the wait for them. The counting is the demo's.

With many commands of one user at a time, the recipients of a change of address are known only once every version is.
For a user who changes preferences meanwhile, a mail or its suppression is right, depending on the record that the
notification service reads first. Of such commands this checks that each was decided once for each recipient, and that
exactly the queued mails arrived. All other counts are exact.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import msgspec

from services.workbench.demo.campaign import addressed, recipients
from services.workbench.demo.counting import Line, latencies
from services.workbench.demo.driver import Accepted
from services.workbench.demo.observation import Log
from services.workbench.demo.watch import Watch

PAUSE_SECONDS = 0.25


def settled(accepted: Iterable[Accepted], queued: Collection[str]) -> list[Accepted]:
    """Return the commands with their messages. `queued` holds those that will be mailed, by the log."""
    users: defaultdict[str, list[Accepted]] = defaultdict(list)
    for command in accepted:
        users[command.user_id].append(command)
    return [command for commands in users.values() for command in _of_user(commands, queued)]


def _of_user(commands: list[Accepted], queued: Collection[str]) -> list[Accepted]:
    commands.sort(key=lambda command: command.version)
    undecided = any(command.step.kind == "prefer" for command in commands)
    first = commands[0].step.body or {}
    opted_in = first.get("preferences") == {"email": True}
    done, address = [], ""
    for command in commands:
        old, address = address, str((command.step.body or {}).get("email", address))
        recipients_ = recipients(command.step.kind, old, address)
        mailed = command.correlation_id in queued if undecided else opted_in
        done.append(msgspec.structs.replace(command, step=addressed(command.step, recipients_, opted_in=mailed)))
    return done


class Effects:
    """The places where the effects of a load are seen."""

    def __init__(self, watch: Watch, log: Log, patience: float) -> None:
        self._watch = watch
        self._log = log
        self._patience = patience

    async def wait(self, accepted: Sequence[Accepted]) -> Sequence[Line]:
        """Return the counts once they are right, or once nothing has moved for the time of patience."""
        seen, moved = self._watch.arrived(), time.monotonic()
        while True:
            await self._watch.look()
            if (now := self._watch.arrived()) != seen:
                seen, moved = now, time.monotonic()
                continue
            lines = self._count(accepted)
            if all(line.is_right for line in lines) or time.monotonic() - moved > self._patience:
                return lines
            await asyncio.sleep(PAUSE_SECONDS)

    def intents(self, commands: Iterable[Accepted]) -> list[float]:
        """Return seconds from each command's intended start to its first `notification.queued`, by its ce_time."""
        return latencies(commands, self._log.queued)

    def mails(self, commands: Iterable[Accepted]) -> list[float]:
        """Return seconds from each command's intended start to its first mail in the sink; none if that is not seen."""
        return latencies(commands, self._watch.mailed())

    def _count(self, accepted: Sequence[Accepted]) -> Sequence[Line]:
        self._watch.accepted = settled(accepted, {command for command, _ in self._log.queued})
        return self._watch.lines()
