"""The applications of all services, without anything behind them."""

from importlib import import_module
from unittest.mock import Mock

from litestar import Litestar

import services.notification.api
import services.user.api
from services.audit.journeys import api as journeys
from services.audit.tiles import api as tiles
from services.chassis.http.application import application
from services.contracts.service_list import WITH_API
from services.user.api_schemas import DOCUMENT


def applications(*, protected: bool = False) -> dict[str, Litestar]:
    """Return the application of each service; a request that reaches a handler gets 500."""
    user = services.user.api.Api(Mock(), Mock(), Mock(), Mock(), Mock())
    notification = services.notification.api.Api(Mock(), Mock())
    return {
        "user": application(user.routes(), DOCUMENT, protected=protected),
        "notification": application(notification.routes(), services.notification.api.DOCUMENT, protected=protected),
    } | {name: _reading(name, protected=protected) for name in WITH_API if name not in ("user", "notification")}


def _reading(name: str, *, protected: bool) -> Litestar:
    api = import_module(f"services.{name}.api")
    more = [*journeys.routes(Mock()), *tiles.routes(Mock(), Mock())] if name == "audit" else []
    return application([*api.routes(Mock()), *more], api.DOCUMENT, protected=protected)
