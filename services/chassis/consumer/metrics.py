"""Consumer metrics, counted per batch rather than per record wherever possible."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from services.chassis.consumer.held.reasons import DEAD_REASONS, Refusal
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.messages.clock import seconds_since
from services.chassis.messages.record import Record
from services.chassis.telemetry.metrics.consuming import (
    CONSUMED,
    DEAD_LETTERS,
    END_TO_END,
    IMPLAUSIBLE_TIMES,
    NOT_SUBSCRIBED,
    PROCESS_DURATION,
    REPEATS,
)
from services.chassis.telemetry.metrics.declared import SYSTEM
from services.chassis.telemetry.metrics.registry import observe
from services.chassis.telemetry.telemetry import Telemetry

OLDEST = timedelta(days=365)
LARGEST_SKEW = timedelta(minutes=1)  # between the clocks of services


class ConsumerMetrics:
    """The metrics of one group. Counters start at 0 rather than absent: an alert must see the first dead letter."""

    def __init__(self, subscription: Subscription, telemetry: Telemetry) -> None:
        metrics, group = telemetry.metrics, subscription.group
        self._group = group
        self._clock = telemetry.clock
        self._consumed = metrics.counter(CONSUMED)
        self._durations = metrics.histogram(PROCESS_DURATION).labels(SYSTEM, group)
        self._implausible = metrics.counter(IMPLAUSIBLE_TIMES)
        self._latencies = metrics.latencies(END_TO_END)
        self._repeats = metrics.counter(REPEATS)
        self._not_subscribed = metrics.counter(NOT_SUBSCRIBED)
        self._dead_letters = metrics.counter(DEAD_LETTERS)
        for topic in subscription.topics:
            self._consumed.labels(SYSTEM, topic, group)
            self._repeats.labels(topic)
            self._implausible.labels(topic)
        if subscription.held:
            for topic in subscription.topics:
                self._not_subscribed.labels(topic)
            for reason in DEAD_REASONS:
                self._dead_letters.labels(reason)

    def consumed(self, records: Sequence[Record]) -> None:
        """Count records whose effect or dead letter is committed."""
        for topic, number in Counter(record.topic for record in records).items():
            self._consumed.labels(SYSTEM, topic, self._group).inc(number)

    def took(self, seconds: float) -> None:
        """Observe the duration of a batch."""
        observe(self._durations, seconds)

    def refused(self, refusals: Sequence[Refusal]) -> None:
        """Count records that became dead."""
        for refusal in refusals:
            self._dead_letters.labels(refusal.reason).inc()

    def outcome(self, outcome: Outcome, is_replay: Callable[[Record], bool]) -> None:
        """Count a handler's results, and observe the end-to-end latency of its events."""
        for topic, number in outcome.repeats.items():
            self._repeats.labels(topic).inc(number)
        for topic, number in outcome.not_subscribed.items():
            self._not_subscribed.labels(topic).inc(number)
        now = self._clock()
        live = [applied for applied in outcome.applied if not is_replay(applied[0])]
        self._latencies.add((kind, seconds_since(moment, now), record.context) for record, kind, moment in live)
        earliest, latest = now - OLDEST, now + LARGEST_SKEW
        for record, _, moment in live:
            if not earliest <= moment <= latest:
                self._implausible.labels(record.topic).inc()
