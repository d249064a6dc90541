"""What can be asked about notifications. Read only; addresses stand in the answers, so it is for inside use."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler

from services.chassis.http.problems import Refused
from services.notification.domain import Listed, State, status_of

LONGEST_WAIT_S = 5.0
LOOK_S = 0.05
LARGEST_PAGE = 1000


class Notification(msgspec.Struct, frozen=True):
    """One message. `status` is queued, sent, failed or suppressed; `detail` says why, in the end or so far."""

    notification_id: str
    user_version: int
    template: str
    recipient: str | None
    status: str
    detail: str
    correlation_id: str
    tries: int
    updated_at: datetime


class Page(msgspec.Struct, frozen=True):
    """Notifications of a user, oldest first. `next` is where to go on, None at the end.

    What the user's versions up to `user_version` led to has been decided and is in the list.
    """

    user_id: str
    user_version: int
    items: list[Notification]
    next: int | None


class Api(msgspec.Struct, frozen=True):
    """What the handlers read: how far a user was followed, and a user's notifications (user, after, limit)."""

    version: Callable[[str], int]
    notifications: Callable[[str, int, int], list[Listed]]
    longest_wait_s: float = LONGEST_WAIT_S

    def routes(self) -> list[ControllerRouterHandler]:
        """Return the handlers."""

        @get("/notifications", summary="What was, or will be, sent to a user")
        async def notifications(
            user_id: Annotated[str, Parameter(min_length=1, max_length=64)],
            min_version: Annotated[int, Parameter(ge=0)] = 0,
            after: Annotated[int, Parameter(ge=0)] = 0,
            limit: Annotated[int, Parameter(ge=1, le=LARGEST_PAGE)] = LARGEST_PAGE,
        ) -> Page:
            """Answer at once or, with `min_version`, once that version has been taken in.

            After a write that answered with version 5, `min_version=5` shows what the write led to. When that takes
            more than 5 s the answer is 503: ask again. A user who is not known yet has the version 0 and an empty list.
            """
            version = await self._await_version(user_id, min_version)
            found = await asyncio.to_thread(self.notifications, user_id, after, limit)
            following = found[-1].place if len(found) == limit else None
            return Page(user_id, version, [_shown(listed) for listed in found], following)

        return [notifications]

    async def _await_version(self, user_id: str, wanted: int) -> int:
        deadline = time.monotonic() + self.longest_wait_s
        while (version := await asyncio.to_thread(self.version, user_id)) < wanted:
            if time.monotonic() > deadline:
                detail = f"user {user_id} is known here up to version {version}, not {wanted} yet: ask again"
                raise Refused(503, detail)
            await asyncio.sleep(LOOK_S)
        return version


def _shown(listed: Listed) -> Notification:
    fields = msgspec.structs.asdict(listed)
    del fields["place"]
    status = status_of(State(fields.pop("state")))
    return Notification(**fields, status=status)
