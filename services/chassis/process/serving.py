"""Assembly of a service with an API and a database, and without Kafka: it waits for no broker.

`assembly` adds Kafka to it. Apart from that, so that a service without Kafka never loads the client.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from litestar.types import ASGIApp, ControllerRouterHandler

from services.chassis.database import migrations
from services.chassis.database.database import UNAVAILABLE
from services.chassis.database.forgetting import Forgetting, Forgotten
from services.chassis.database.health_check import DatabaseHealthCheck
from services.chassis.database.metrics import measured
from services.chassis.http.application import ApiDocument, application
from services.chassis.http.auth import key_set
from services.chassis.http.auth.issuer_keys import IssuerKeys, KeyRefresh
from services.chassis.http.auth.middleware import Authentication
from services.chassis.http.auth.tokens import Policy, TokenVerifier
from services.chassis.http.middleware import HostCheck, RequestTelemetry
from services.chassis.http.rate_limits import by_address, by_caller, limited
from services.chassis.http.server import Server
from services.chassis.process.runtime import Component, Plan
from services.chassis.process.settings import ApiSettings
from services.chassis.telemetry.metrics.serving import RATE_LIMITED, TOKENS
from services.chassis.telemetry.telemetry import Telemetry

Prepare = Callable[[], None]
log = structlog.get_logger()


class BaseAssembly:
    """Builds the components that every service has."""

    def __init__(self, revisions: Path, settings: ApiSettings, telemetry: Telemetry) -> None:
        self._revisions = revisions
        self._api_settings = settings
        self.telemetry = telemetry
        self.database = measured(settings.database, telemetry.metrics)
        self._key_refresh: list[Component] = []

    def http(self, routes: Sequence[ControllerRouterHandler], document: ApiDocument) -> Component:
        """Return the HTTP server with its middleware.

        An address's limit counts before anything is done for a request, a caller's once the caller is known.
        """
        settings, refused = self._api_settings, self.telemetry.metrics.counter(RATE_LIMITED)
        app: ASGIApp = application(routes, document, protected=settings.authenticates)
        app = limited(app, settings.caller_rate, by_caller, refused.labels("caller"))
        app = limited(HostCheck(self._authenticated(app)), settings.address_rate, by_address, refused.labels("address"))
        return Server(RequestTelemetry(app, self.telemetry), settings, self.telemetry.health)

    def _authenticated(self, app: ASGIApp) -> ASGIApp:
        settings = self._api_settings
        if settings.authenticates:
            keys = IssuerKeys(key_set.source(settings))
            self._key_refresh = [KeyRefresh(keys, self.telemetry.health)]
            names = settings.auth_issuer, settings.auth_audience, settings.auth_roles_claim
            verifier = TokenVerifier(keys, Policy(*names, settings.auth_leeway))
            return Authentication(app, verifier, self.telemetry.metrics.counter(TOKENS))
        if settings.exposed:
            log.warning("the API has no authentication, and other machines can reach it", host=settings.http_host)
        return app

    def forgetting(self, every: timedelta, *tables: Forgotten) -> Component:
        """Return the deletion of old rows, which are looked for at an interval."""
        return Forgetting(self.database, tables, every, self.telemetry)

    def _plan(self, components: Sequence[Component], prepare: Sequence[Prepare]) -> Plan:
        """Return the plan: schema first, then `prepare`; components stop in order, the database check last."""
        return Plan(
            prepare=partial(self._prepare, prepare),
            components=[*components, *self._key_refresh, DatabaseHealthCheck(self.database, self.telemetry)],
            close=self.database.close,
        )

    def _prepare(self, prepare: Sequence[Prepare]) -> None:
        migrations.prepare(self.database, self._revisions, migrate=self._api_settings.database_migrate)
        try:
            for step in prepare:
                step()
        except UNAVAILABLE as error:
            raise ConnectionError(f"database: {error}") from error


class StandaloneAssembly(BaseAssembly):
    """Builds the components of a service that does not use Kafka."""

    def plan(self, components: Sequence[Component], *prepare: Prepare) -> Plan:
        """Return the plan: schema first, then `prepare`; components stop in order, the database check last."""
        return self._plan(components, prepare)
