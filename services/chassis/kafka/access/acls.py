"""The broker's access control list and SCRAM users, read and changed with an administrator's login."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported, unmarked
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from services.chassis.kafka import config
from services.chassis.kafka.admin import BrokerUnavailableError
from services.chassis.kafka.error_codes import REPLACED
from services.chassis.kafka.rights import advice
from services.chassis.kafka.settings import KafkaSettings

EVERYBODY = "User:*"
ANY_HOST = "*"
CLUSTER = "cluster"
ITERATIONS = 4096  # Kafka's own default
NOBODY = "User:-"  # has no rights: a request to remove them changes nothing
NO_AUTHORIZER = (
    "the broker has no authorizer, so everybody may do everything: set its authorizer.class.name to "
    "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
)
NO_RIGHT = (
    "{user} may not change rights: log in as the administrator, a super user of the broker (super.users) or one with "
    "Alter and Describe on the cluster"
)
Futures = Mapping[Any, "Future[Any]"]


class AccessRefusedError(Exception):
    """The broker has no authorizer, or this login may not change rights; the message has what to do."""


class _ReplacedError(BrokerUnavailableError):
    """The client has closed the connection of the request by itself."""


class Acl(NamedTuple):
    """One row of the list. Operations and kinds are named as by `kafka-acls`: Read, Describe; topic, group, cluster."""

    principal: str
    kind: str
    name: str
    operation: str
    prefixed: bool = False
    host: str = ANY_HOST
    allow: bool = True

    def text(self) -> str:
        """Return the row for a person."""
        beginning = f"{self.name}…" if self.prefixed else self.name
        host = "" if self.host == ANY_HOST else f" from host {self.host}"
        verb = "may" if self.allow else "is denied to"
        return f"{self.principal} {verb} {self.operation} {self.kind} {beginning}{host}"


class AccessAdmin:
    """The administrator's client. Every method raises BrokerUnavailableError, and AccessRefusedError if it may not."""

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._user = advice.user(settings)
        self._admin = AdminClient(config.client(settings, name))
        self._timeout_s = settings.kafka_request_timeout.total_seconds()

    def require(self) -> None:
        """Raise AccessRefusedError if the broker has no authorizer, or this client may not change rights.

        The client library answers a denied question for rights with an empty list: only a change reports the denial.
        """
        self._delete([_filter(NOBODY)])
        cluster = self._done(self._admin.describe_cluster(include_authorized_operations=True))
        if AclOperation.DESCRIBE not in (cluster.authorized_operations or ()):
            raise AccessRefusedError(NO_RIGHT.format(user=self._user))

    def rights(self, principal: str | None = None) -> frozenset[Acl]:
        """Return the rows of a principal, or all; without the right to see them, which `require` checks, none."""
        return frozenset(map(_row, self._done(self._admin.describe_acls(_filter(principal)))))

    def add(self, rows: Iterable[Acl]) -> None:
        """Add rows in one request."""
        if bindings := [_binding(row) for row in sorted(rows)]:
            self._change(lambda: self._admin.create_acls(bindings))

    def remove(self, rows: Iterable[Acl]) -> None:
        """Remove exactly these rows."""
        self._delete([_exactly(row) for row in sorted(rows)])

    def admit(self, passwords: Mapping[str, str]) -> None:
        """Give users their passwords, by SCRAM-SHA-512."""
        login = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        users: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(name, login, text.encode()) for name, text in sorted(passwords.items())
        ]
        if users:
            self._change(lambda: self._admin.alter_user_scram_credentials(users))

    def _delete(self, filters: list[AclBindingFilter]) -> None:
        if filters:
            self._change(lambda: self._admin.delete_acls(filters))

    def _change(self, request: Callable[[], Futures]) -> None:
        """Send a change, which may be repeated, and wait for the answer.

        Once more if the client has meanwhile put the broker of the metadata in the place of its first connection.
        """
        try:
            self._changed(request)
        except _ReplacedError:
            self._changed(request)

    def _changed(self, request: Callable[[], Futures]) -> None:
        try:
            futures = request()
        except KafkaException as error:
            raise self._explained(error) from error
        for future in futures.values():
            self._done(future)

    def _done(self, future: "Future[Any]") -> Any:  # noqa: ANN401  # the client's own types
        try:
            return future.result(self._timeout_s)
        except KafkaException as error:
            raise self._explained(error) from error
        except TimeoutError as error:
            raise BrokerUnavailableError(f"rights: no answer within {self._timeout_s:g} s") from error

    def _explained(self, error: KafkaException) -> Exception:
        cause: KafkaError = error.args[0]
        if cause.code() == KafkaError.SECURITY_DISABLED:
            return AccessRefusedError(NO_AUTHORIZER)
        if cause.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return AccessRefusedError(NO_RIGHT.format(user=self._user))
        kind = _ReplacedError if cause.code() == REPLACED else BrokerUnavailableError
        return kind(f"rights: {cause.name()}: {cause.str()}")


OPERATIONS = {advice.operation_name(one): one for one in AclOperation}
# The client's name of the cluster is BROKER.
KINDS = {CLUSTER if one is ResourceType.BROKER else one.name.lower(): one for one in ResourceType}
KIND_NAMES = {one: name for name, one in KINDS.items()}


def _filter(principal: str | None) -> AclBindingFilter:
    anything: tuple[Any, ...] = (ResourceType.ANY, None, ResourcePatternType.ANY)
    return AclBindingFilter(*anything, principal, None, AclOperation.ANY, AclPermissionType.ANY)  # type: ignore[call-arg]  # as of a tuple


def _row(found: AclBinding) -> Acl:
    prefixed = found.resource_pattern_type is ResourcePatternType.PREFIXED
    allow = found.permission_type is AclPermissionType.ALLOW
    kind, operation = KIND_NAMES[ResourceType(found.restype)], advice.operation_name(AclOperation(found.operation))
    return Acl(found.principal, kind, found.name, operation, prefixed, found.host, allow)


def _binding(row: Acl) -> AclBinding:
    return AclBinding(*_columns(row))


def _exactly(row: Acl) -> AclBindingFilter:
    return AclBindingFilter(*_columns(row))


def _columns(row: Acl) -> tuple[Any, ...]:
    pattern = ResourcePatternType.PREFIXED if row.prefixed else ResourcePatternType.LITERAL
    permission = AclPermissionType.ALLOW if row.allow else AclPermissionType.DENY
    return KINDS[row.kind], row.name, pattern, row.principal, row.host, OPERATIONS[row.operation], permission
