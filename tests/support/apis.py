"""The applications of all services, without anything behind them."""

from importlib import import_module
from unittest.mock import Mock

from litestar import Litestar

import services.notification.api
import services.user.api
from services.chassis.http.application import application
from services.contracts.service_list import WITH_API
from services.user.api_schemas import DOCUMENT


def applications() -> dict[str, Litestar]:
    """Return the application of each service; a request that reaches a handler gets 500."""
    user = services.user.api.Api(Mock(), Mock(), Mock(), Mock(), Mock())
    notification = services.notification.api.Api(Mock(), Mock())
    return {
        "user": application(user.routes(), DOCUMENT),
        "notification": application(notification.routes(), services.notification.api.DOCUMENT),
    } | {name: _reading(name) for name in WITH_API if name not in ("user", "notification")}


def _reading(name: str) -> Litestar:
    api = import_module(f"services.{name}.api")
    return application(api.routes(Mock()), api.DOCUMENT)
