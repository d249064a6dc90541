"""The user API: from HTTP to commands and back. Bodies are closed structs of their own, not the contracts'."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import Annotated, Any, Protocol
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from services.chassis.event_store import Metadata
from services.chassis.problems import Refused
from services.contracts.user import Personal, Preferences, Status, UserState
from services.user import domain
from services.user.domain import Because, Changes, RefusedError
from services.user.handlers import Change, Command, Deactivate, Register, Reply

LONGEST_KEY = 255
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
STATUS = {
    Because.INVALID: 422,
    Because.NOT_FOUND: 404,
    Because.TAKEN: 409,
    Because.STALE: 412,
    Because.DEACTIVATED: 409,
    Because.KEY_REUSED: 422,
}
Locale = Annotated[str, msgspec.Meta(pattern="^[a-z]{2,3}(-[A-Z]{2})?$", description="BCP 47, such as en or pt-BR")]
Headers = Any


class PreferencesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The channels on which a user wants to hear from us."""

    email: bool = True


class RegisterBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new user."""

    login: str
    email: str
    full_name: str
    locale: Locale = "en"
    preferences: PreferencesBody = PreferencesBody()


class ChangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be different; a field that is left away stays as it is."""

    email: str | None = None
    full_name: str | None = None
    locale: Locale | None = None
    preferences: PreferencesBody | None = None


class UserBody(msgspec.Struct, frozen=True):
    """A user as stored."""

    user_id: str
    version: int
    status: Status
    login: str
    email: str
    full_name: str
    locale: str
    preferences: Preferences
    contact_flagged: bool


class Commands(Protocol):
    """Where commands go; see `chassis.writer.Writer`."""

    async def submit(self, command: Command) -> Reply | RefusedError:
        """Return the outcome of a command once it is committed."""


class Api(msgspec.Struct, frozen=True):
    """What the handlers need: where commands go, where users are read, and ids."""

    commands: Commands
    read_user: Callable[[str], UserState | None]
    new_id: Callable[[], str]

    def routes(self) -> list[ControllerRouterHandler]:
        """Return the handlers."""
        return [self._register(), self._read(), self._change(), self._deactivate()]

    def _register(self) -> ControllerRouterHandler:
        @post("/users", summary="Register a user")
        async def register(data: JSONBody[RegisterBody], request: Request[Any, Any, Any]) -> Response[Reply]:
            personal = _checked(domain.valid_personal, Personal(data.login, data.email, data.full_name, data.locale))
            action = Register(self.new_id(), personal, Preferences(data.preferences.email))
            reply = await self._submit(action, request, data)
            return _answer(reply, 201, {"Location": f"/users/{reply.user_id}"})

        return register

    def _read(self) -> ControllerRouterHandler:
        # Not sync_to_thread: Litestar 2.25 wraps such a handler twice where its path has other methods too.
        @get("/users/{user_id:uuid}", summary="Read a user")
        async def read(user_id: FromPath[UUID]) -> Response[UserBody]:
            user = await asyncio.to_thread(self.read_user, str(user_id))
            if user is None:
                raise Refused(404, f"there is no user {user_id}")
            return Response(_body(user), headers={"ETag": f'"{user.version}"'})

        return read

    def _change(self) -> ControllerRouterHandler:
        @patch("/users/{user_id:uuid}", summary="Change a user")
        async def change(
            user_id: FromPath[UUID], data: JSONBody[ChangeBody], request: Request[Any, Any, Any]
        ) -> Response[Reply]:
            preferences = None if data.preferences is None else Preferences(data.preferences.email)
            wanted = Changes(email=data.email, full_name=data.full_name, locale=data.locale, preferences=preferences)
            action = Change(str(user_id), _expected(request), _checked(domain.valid_changes, wanted))
            return _answer(await self._submit(action, request, data), 200)

        return change

    def _deactivate(self) -> ControllerRouterHandler:
        @delete("/users/{user_id:uuid}", summary="Deactivate a user", status_code=200)
        async def deactivate(user_id: FromPath[UUID], request: Request[Any, Any, Any]) -> Response[Reply]:
            return _answer(await self._submit(Deactivate(str(user_id), _expected(request)), request, None), 200)

        return deactivate

    async def _submit(
        self, action: Register | Change | Deactivate, request: Request[Any, Any, Any], body: object
    ) -> Reply:
        command = Command(action, _key(request) or self.new_id(), _fingerprint(request, body), _metadata(request))
        outcome = await self.commands.submit(command)
        if isinstance(outcome, RefusedError):
            raise Refused(STATUS[outcome.because], str(outcome))
        return outcome


def _checked(validate: Callable[[Any], Any], value: Any) -> Any:  # noqa: ANN401  # returns what it takes
    try:
        return validate(value)
    except RefusedError as refused:
        raise Refused(STATUS[refused.because], str(refused)) from None


def _answer(reply: Reply, status: int, headers: dict[str, str] | None = None) -> Response[Reply]:
    return Response(reply, status_code=status, headers={"ETag": f'"{reply.version}"', **(headers or {})})


def _body(user: UserState) -> UserBody:
    personal = msgspec.structs.asdict(user.personal)
    return UserBody(
        user_id=user.user_id,
        version=user.version,
        status=user.status,
        preferences=user.preferences,
        contact_flagged=user.contact_flagged,
        **personal,
    )


def _expected(request: Request[Any, Any, Any]) -> int | None:
    """Return the version that If-Match asks for, None for `*`; RFC 9110, section 13.1.1."""
    given = request.headers.get("if-match")
    if given is None:
        raise Refused(428, "If-Match is missing: send the ETag of the version that you read, or * for any")
    if given.strip() == "*":
        return None
    if not re.fullmatch(r'"\d{1,9}"', given.strip()):
        raise Refused(412, f'If-Match {given[:40]!r} is no version of a user: send its ETag, such as "3", or *')
    return int(given.strip().strip('"'))


def _key(request: Request[Any, Any, Any]) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        raise Refused(400, f"Idempotency-Key must have 1 to {LONGEST_KEY} characters")
    return key


def _fingerprint(request: Request[Any, Any, Any], body: object) -> bytes:
    text = (request.method, request.url.path, request.headers.get("if-match"), body)
    return hashlib.sha256(msgspec.json.encode(text)).digest()


def _metadata(request: Request[Any, Any, Any]) -> Metadata:
    traceparent = request.headers.get("traceparent", "")
    traced = traceparent if TRACEPARENT.fullmatch(traceparent) else None
    return Metadata(correlation_id=request.scope["correlation_id"], traceparent=traced)  # type: ignore[typeddict-item]
