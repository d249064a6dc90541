"""The ceiling of refusals: a server that refuses everybody flags few, and the operator sees it."""

from services.notification.domain import DeliveryResult, DeliveryStatus
from services.notification.mail.refusal_ceiling import RefusalCeiling
from tests.support.builders import a_telemetry

SENT, DEFERRED, REFUSED = DeliveryStatus.SENT, DeliveryStatus.DEFERRED, DeliveryStatus.REFUSED
BOUNCED = DeliveryStatus.BOUNCED


class Ceiling:
    """A ceiling of 2 with its clock and its metric."""

    def __init__(self) -> None:
        self.now = 0.0
        self._telemetry = a_telemetry()
        self._ceiling = RefusalCeiling(2, self._telemetry, lambda: self.now)

    def of(self, *statuses: DeliveryStatus) -> list[DeliveryStatus]:
        """Return what becomes of results."""
        return [self._ceiling.limited(DeliveryResult(status, "550")).status for status in statuses]

    def counted(self, outcome: str) -> float | None:
        """Return the metric's value."""
        return self._telemetry.metrics.registry.get_sample_value("mail_refusals_total", {"outcome": outcome})


def test_refusals_in_a_row_are_deferred_until_a_mail_is_taken() -> None:
    ceiling = Ceiling()
    assert ceiling.of(BOUNCED, REFUSED, BOUNCED, REFUSED) == [BOUNCED, REFUSED, DEFERRED, DEFERRED]
    ceiling.now = 3600.0
    assert ceiling.of(BOUNCED, SENT, BOUNCED) == [DEFERRED, SENT, BOUNCED]
    assert [ceiling.counted(outcome) for outcome in ("bounced", "refused", "deferred")] == [2, 1, 3]


def test_bounces_of_one_minute_are_limited_although_mails_are_taken_between() -> None:
    ceiling = Ceiling()
    assert ceiling.of(BOUNCED, SENT, BOUNCED, SENT, BOUNCED, REFUSED) == [
        BOUNCED,
        SENT,
        BOUNCED,
        SENT,
        DEFERRED,
        REFUSED,
    ]
    ceiling.now = 61.0
    assert ceiling.of(SENT, BOUNCED) == [SENT, BOUNCED]


def test_other_results_pass_as_they_are() -> None:
    ceiling = Ceiling()
    others = [status for status in DeliveryStatus if status not in {BOUNCED, REFUSED}]
    assert ceiling.of(*others) == others
