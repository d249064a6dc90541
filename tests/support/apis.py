"""The applications of all services, without anything behind them."""

from unittest.mock import Mock

from litestar import Litestar

import services.audit.api
import services.notification.api
import services.user.api
from services.chassis.http.application import application
from services.user.api_schemas import DOCUMENT


def applications() -> dict[str, Litestar]:
    """Return the application of each service; a request that reaches a handler gets 500."""
    user = services.user.api.Api(Mock(), Mock(), Mock(), Mock())
    notification = services.notification.api.Api(Mock(), Mock())
    return {
        "user": application(user.routes(), DOCUMENT),
        "notification": application(notification.routes(), services.notification.api.DOCUMENT),
        "audit": application(services.audit.api.routes(Mock()), services.audit.api.DOCUMENT),
    }
