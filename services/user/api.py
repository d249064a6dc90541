"""The user API: converts requests to commands and replies to responses."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.types import ControllerRouterHandler

from services.chassis.http.auth.caller import caller_of
from services.chassis.http.if_match import strong_tags
from services.chassis.http.problems import Refused
from services.chassis.messages.event import Metadata
from services.contracts.user import Personal, Preferences, Status, UserState
from services.user import domain
from services.user.api_errors import STATUS, described
from services.user.api_schemas import (
    ETAG,
    LINK,
    LOCATION,
    LONGEST_KEY,
    USUAL_PAGE,
    After,
    AfterVersion,
    AsOf,
    ChangedUser,
    HistoryBody,
    IdempotencyKey,
    IfMatch,
    Limit,
    NewUser,
    OfStatus,
    PageBody,
    UserBody,
    UserId,
    Version,
    body_of,
    version_of,
)
from services.user.commands import Action, Change, Command, Deactivate, Outcome, Register, Reply
from services.user.domain import Changes, RefusedError
from services.user.history import History

Incoming = Request[Any, Any, Any]
P = ParamSpec("P")
Value = TypeVar("Value")
VERSION = re.compile("[1-9][0-9]{0,17}")  # as an ETag has it
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Commands(Protocol):
    """Accepts commands; see `chassis.outbox.group_commit.GroupCommit`."""

    async def submit(self, command: Command) -> Outcome:
        """Return the outcome of a command once it is committed."""


class Api(msgspec.Struct, frozen=True):
    """Dependencies of the routes: commands, queries (one user; after, limit, status; the past), and ids."""

    commands: Commands
    read_user: Callable[[str], UserState | None]
    read_page: Callable[[str, int, Status | None], list[UserState]]
    history: History
    new_id: Callable[[], str]

    def routes(self) -> list[ControllerRouterHandler]:
        """Return the route handlers."""
        reading = [self._list(), self._read(), self._history()]
        return [self._register(), *reading, self._change(), self._deactivate()]

    def _register(self) -> ControllerRouterHandler:
        @post(
            "/users",
            operation_id="registerUser",
            summary="Register a user",
            description="201 means stored with its event. Repeat a lost request with the same Idempotency-Key.",
            response_headers=[ETAG, LOCATION],
            responses=described(400, 409, 413, 415, 422, 500, 503),
        )
        async def register(data: NewUser, request: Incoming, key: IdempotencyKey = None) -> Response[Reply]:
            personal = _checked(domain.valid_personal, _contract(data, Personal))
            action = Register(self.new_id(), personal, _contract(data.preferences, Preferences))
            reply = await self._submit(action, request, key, data)
            return _answer(reply, 201, {"Location": f"/users/{reply.user_id}"})

        return register

    def _list(self) -> ControllerRouterHandler:
        @get(
            "/users",
            operation_id="listUsers",
            summary="List users, a page at a time",
            description="Sorted by id, which is the order of registration except for simultaneous ones.",
            response_headers=[LINK],
            responses=described(400, 422, 500, 503),
        )
        async def list_users(
            limit: Limit = USUAL_PAGE, after: After = None, of_status: OfStatus = None
        ) -> Response[PageBody]:
            start = "" if after is None else str(after)
            found = await asyncio.to_thread(self.read_page, start, limit + 1, of_status)
            following = found[limit - 1].user_id if len(found) > limit else None
            page = PageBody([body_of(user) for user in found[:limit]], following)
            return Response(page, headers=_link("/users", following, limit, of_status))

        return list_users

    def _read(self) -> ControllerRouterHandler:
        # Not sync_to_thread: Litestar 2.25 wraps such a handler twice where its path has other methods too.
        @get(
            "/users/{user_id:uuid}",
            operation_id="readUser",
            summary="Read a user",
            description="The ETag is the version; send it as If-Match to change or deactivate the user. "
            "`as_of` or `version` gives the user as it was.",
            response_headers=[ETAG],
            responses=described(400, 404, 422, 500, 503),
        )
        async def read(user_id: UserId, as_of: AsOf = None, version: Version = None) -> Response[UserBody]:
            user = _found(await asyncio.to_thread(self._state, str(user_id), as_of, version), user_id)
            return Response(body_of(user), headers={"ETag": f'"{user.version}"'})

        return read

    def _state(self, user_id: str, as_of: str | None, version: int | None) -> UserState | None:
        if as_of is not None and version is not None:
            raise Refused(422, "as_of and version exclude each other: send one of them")
        if as_of is not None:
            return _checked(self.history.as_of, user_id, as_of)
        return self.read_user(user_id) if version is None else _checked(self.history.version, user_id, version)

    def _history(self) -> ControllerRouterHandler:
        @get(
            "/users/{user_id:uuid}/history",
            operation_id="readUserHistory",
            summary="Read a user's versions, a page at a time",
            description="Every version with the event that led to it, in the order of versions, without gaps.",
            response_headers=[LINK],
            responses=described(400, 404, 422, 500, 503),
        )
        async def history(user_id: UserId, limit: Limit = USUAL_PAGE, after: AfterVersion = 0) -> Response[HistoryBody]:
            read = await asyncio.to_thread(self.history.page, str(user_id), after, limit + 1)
            found = _found(read, user_id)
            following = found[limit - 1].user.version if len(found) > limit else None
            page = HistoryBody([version_of(one) for one in found[:limit]], following)
            return Response(page, headers=_link(f"/users/{user_id}/history", following, limit))

        return history

    def _change(self) -> ControllerRouterHandler:
        @patch(
            "/users/{user_id:uuid}",
            operation_id="changeUser",
            summary="Change a user",
            description="Fields that are absent or null keep their values. Requires If-Match.",
            response_headers=[ETAG],
            responses=described(400, 404, 409, 412, 413, 415, 422, 428, 500, 503),
        )
        async def change(
            user_id: UserId, data: ChangedUser, request: Incoming, _if_match: IfMatch = None, key: IdempotencyKey = None
        ) -> Response[Reply]:
            wanted = _checked(domain.valid_changes, _contract(data, Changes))
            action = Change(str(user_id), _expected(request), wanted)
            return _answer(await self._submit(action, request, key, data), 200)

        return change

    def _deactivate(self) -> ControllerRouterHandler:
        @delete(
            "/users/{user_id:uuid}",
            operation_id="deactivateUser",
            summary="Deactivate a user",
            description="A deactivated user is kept and can no longer be changed. Requires If-Match.",
            status_code=200,
            response_headers=[ETAG],
            responses=described(400, 404, 412, 422, 428, 500, 503),
        )
        async def deactivate(
            user_id: UserId, request: Incoming, _if_match: IfMatch = None, key: IdempotencyKey = None
        ) -> Response[Reply]:
            action = Deactivate(str(user_id), _expected(request))
            return _answer(await self._submit(action, request, key, None), 200)

        return deactivate

    async def _submit(self, action: Action, request: Incoming, key: str | None, body: object) -> Reply:
        if key is not None and not 1 <= len(key) <= LONGEST_KEY:
            raise Refused(400, f"Idempotency-Key must have 1 to {LONGEST_KEY} characters")
        if key is not None and CONTROL.search(key):
            raise Refused(400, "Idempotency-Key has a control character: leave it out")
        command = Command(action, key or self.new_id(), _fingerprint(request, body), _metadata(request))
        outcome = await self.commands.submit(command)
        if isinstance(outcome, RefusedError):
            raise Refused(STATUS[outcome.because], str(outcome))
        return outcome


def _contract(body: msgspec.Struct, struct: type[Value]) -> Value:
    """Return the part of a request's body that a struct has fields for, by their names."""
    return msgspec.convert(body, struct, from_attributes=True)


def _found(value: Value | None, user_id: object) -> Value:
    if value is None:
        raise Refused(404, f"there is no user {user_id}")
    return value


def _checked(ask: Callable[P, Value], *args: P.args, **kwargs: P.kwargs) -> Value:
    try:
        return ask(*args, **kwargs)
    except RefusedError as refused:
        raise Refused(STATUS[refused.because], str(refused)) from None


def _answer(reply: Reply, status: int, headers: dict[str, str] | None = None) -> Response[Reply]:
    return Response(reply, status_code=status, headers={"ETag": f'"{reply.version}"', **(headers or {})})


def _link(path: str, following: object, limit: int, status: Status | None = None) -> dict[str, str]:
    if following is None:
        return {}
    query = {"limit": limit, "after": following} | ({"status": status.value} if status else {})
    return {"Link": f'<{path}?{urlencode(query)}>; rel="next"'}


def _expected(request: Incoming) -> frozenset[int] | None:
    """Return the versions that If-Match lists, None for any."""
    tags = strong_tags(_if_match(request))
    if tags is None:
        return None
    versions = frozenset(int(tag) for tag in tags if VERSION.fullmatch(tag))
    if not versions:
        raise Refused(412, 'If-Match lists no version of a user: send its ETag, such as "3", or *')
    return versions


def _if_match(request: Incoming) -> list[str]:
    return request.headers.getall("if-match", [])  # Litestar's parameter is the last line alone


def _fingerprint(request: Incoming, body: object) -> bytes:
    text = (request.method, request.url.path, ", ".join(_if_match(request)) or None, body)
    return hashlib.sha256(msgspec.json.encode(text)).digest()


def _metadata(request: Incoming) -> Metadata:
    scope: Mapping[str, Any] = request.scope
    actor = caller_of(scope).subject or None
    return Metadata(correlation_id=scope["correlation_id"], traceparent=scope["traceparent"], actor=actor)
