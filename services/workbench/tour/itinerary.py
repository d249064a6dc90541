"""The stops of the tour, in order. A new stop is a module in `stops` and a row here."""

from services.workbench.tour.stop import Stop
from services.workbench.tour.stops import (
    changed_audit_entry,
    consumer_lag,
    event_notification,
    event_sourcing,
    state_transfer,
    user_service_down,
    users_of_a_moment,
)

STOPS: tuple[Stop, ...] = (
    event_notification.STOP,
    state_transfer.STOP,
    event_sourcing.STOP,
    user_service_down.STOP,
    consumer_lag.STOP,
    changed_audit_entry.STOP,
    users_of_a_moment.STOP,
)
