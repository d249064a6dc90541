"""Steps of end-to-end scenarios: commands, and waiting for their effects. Uses the public APIs only."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import httpx
import msgspec

from services.workbench.local.sink import Mail
from services.workbench.polling import PATIENCE_S, until
from services.workbench.reconcile.history import Operation, Recorder, Result
from tests.support.stories.target import Target

PAGE = 500
ENTRIES = 1000
REGISTERED = frozenset({"user.registered", "user.state", "user.notice", "notification.queued", "notification.sent"})
CREATED = 201


class User(msgspec.Struct, frozen=True):
    """A user after its last command; `correlation_id` is that of the command."""

    user_id: str
    version: int
    correlation_id: str
    email: str


class Story:
    """A client of a system. `new_name` returns unique names; commands are recorded."""

    def __init__(
        self, target: Target, client: httpx.Client, new_name: Callable[[], str], recorder: Recorder | None = None
    ) -> None:
        self.target = target
        self._recorder = recorder
        self._client = client
        self._new_name = new_name

    def newcomer(self, *, mailed: bool = True, **fields: object) -> dict[str, Any]:
        """Return the body of a registration with a unique login."""
        name = self._new_name()
        usual = {"login": name, "email": f"{name}@example.org", "full_name": "Ada Lovelace", "locale": "en"}
        return usual | fields | {"preferences": {"email": mailed}}

    def register_user(self, *, mailed: bool = True, **fields: object) -> User:
        """Register a new user; the first request must be accepted."""
        body = self.newcomer(mailed=mailed, **fields)
        answer = self.post(body, self._new_name())  # not the login: logs name commands, and no person
        assert answer.status_code == CREATED, f"{answer.status_code} {answer.text}"
        return _user(answer, body["email"])

    def insist_on(self, body: Mapping[str, Any], key: str) -> User:
        """Send a registration with the same Idempotency-Key until it is accepted."""
        return _user(
            until(f"{key} is accepted", lambda: self.post(body, key), _is_created, passing=httpx.HTTPError),
            body["email"],
        )

    def post(self, body: Mapping[str, Any], key: str) -> httpx.Response:
        """Send a registration once. Raises httpx.TransportError."""
        return self._command("register", key, "", json=body, headers={"Idempotency-Key": key})

    def change_user(self, user: User, **fields: object) -> User:
        """Change a user with its known version as If-Match."""
        version = {"If-Match": f'"{user.version}"'}
        answer = self._command("change", self._new_name(), user.user_id, json=fields, headers=version)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return _user(answer, str(fields.get("email", user.email)))

    def _command(
        self, kind: str, name: str, user_id: str, *, json: Mapping[str, Any], headers: Mapping[str, str]
    ) -> httpx.Response:
        method, path = ("PATCH", f"/users/{user_id}") if user_id else ("POST", "/users")
        began = time.time()
        sent = Operation(kind=kind, command=name, result=Result.UNKNOWN, began=began, ended=began, user_id=user_id)
        try:
            answer = self._client.request(
                method, self.target.urls["user"] + path, json=json, headers={**headers, "X-Correlation-ID": name}
            )
            sent = sent.answered(answer.status_code, answer.content)
        finally:
            if self._recorder:
                self._recorder.add(msgspec.structs.replace(sent, ended=time.time()))
        return answer

    def versions(self) -> dict[str, int]:
        """Return the version of every user."""
        found: dict[str, int] = {}
        after: dict[str, str] = {}
        while True:
            page = self._get("user", "/users", {"limit": str(PAGE)} | after)
            found |= {user["user_id"]: user["version"] for user in page["items"]}
            if page["next"] is None:
                return found
            after = {"after": page["next"]}

    def await_mail(self, user: User, address: str = "") -> Mail:
        """Wait for the mail that the user's last command caused, at the user's address or another."""
        at = address or user.email

        def look() -> list[Mail]:
            return [mail for mail in self.target.mails(at) if mail.correlation_id == user.correlation_id]

        return until(f"a mail to {at} because of {user.correlation_id}", look, passing=httpx.HTTPError)[0]

    def mails(self, user: User) -> list[Mail]:
        """Return the mails at the user's address."""
        return self.target.mails(user.email)

    def await_audit(self, user: User, types: Collection[str] = REGISTERED) -> list[dict[str, Any]]:
        """Wait until the user's last command has audit entries of all these types, and return its entries."""

        def look() -> list[dict[str, Any]]:
            return self.audited(user.correlation_id)

        what = f"entries of {', '.join(sorted(types))} because of {user.correlation_id}"
        return until(
            what, look, lambda entries: {entry["type"] for entry in entries} >= set(types), passing=httpx.HTTPError
        )

    def audited(self, correlation_id: str) -> list[dict[str, Any]]:
        """Return the audit entries of a command."""
        query = {"correlation_id": correlation_id, "limit": str(ENTRIES)}
        found: list[dict[str, Any]] = self._get("audit", "/audit/entries", query)["items"]
        return found

    def operations(self, subject: str, since: str) -> list[dict[str, Any]]:
        """Return the audit entries of operators' actions with a tool, such as `notification.held`, from a time on."""
        query = {"topic": "operations.v1", "subject": subject, "from": since}
        found: list[dict[str, Any]] = self._get("audit", "/audit/entries", query)["items"]
        return found

    def journey(self, wanted: str) -> dict[str, Any]:
        """Return the journey that an id belongs to."""
        found: dict[str, Any] = self._get("audit", f"/audit/journeys/{wanted}", {})["journey"]
        return found

    def await_notifications(self, user: User, seconds: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Wait until the notifications of the user's last command are decided and sent, and return them."""
        query = {"user_id": user.user_id, "min_version": str(user.version)}

        def look() -> dict[str, Any]:
            return self._get("notification", "/notifications", query)

        found = until(f"notifications of {user.user_id}", look, _is_over, seconds, httpx.HTTPError)
        items: list[dict[str, Any]] = found["items"]
        return items

    def _get(self, service: str, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        answer = self._client.get(self.target.urls[service] + path, params=query)
        body: dict[str, Any] = answer.raise_for_status().json()
        return body


def _is_created(answer: httpx.Response) -> bool:
    return answer.status_code == CREATED


def _is_over(page: Mapping[str, Any]) -> bool:
    return bool(page["items"]) and all(item["status"] != "queued" for item in page["items"])


def _user(answer: httpx.Response, email: str) -> User:
    return msgspec.convert(answer.json() | {"email": email}, User)
