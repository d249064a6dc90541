"""`console probe`: lag and members of every group, and the topics, as metrics, with or without consumers. Stays up.

While the broker is unreachable the gauges have no series, `lag_probe_failures_total` grows, and the exporter is not
ready, with the reason.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

import msgspec
import structlog

from services.chassis.kafka.admin import Cluster, KafkaAdmin, TopicsError
from services.chassis.kafka.group_consumer import PartitionReadError
from services.chassis.kafka.rights.topic_rights import RightMissingError, RightsCheck, TopicRights
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.process.runtime import Plan
from services.chassis.process.settings import ProcessSettings
from services.chassis.settings.environment import settings
from services.chassis.telemetry.metrics.registry import Reading
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry
from services.console.lag import Ages, Lag, groups, lags, partitions
from services.console.metrics import (
    BROKERS,
    END_OFFSET,
    GROUP_MEMBERS,
    LAG_FAILURES,
    LAG_RECORDS,
    LAG_SECONDS,
    UNDER_REPLICATED,
)
from services.console.probe.certificate_watch import CertificateWatch
from services.contracts.catalog import TOPICS

NAME = "lag-probe"
WHAT = "kafka"
RIGHTS = "rights"
READ = TopicRights(read=tuple(topic.name for topic in TOPICS))  # for the ages; the right to describe has the numbers
SHOWN = (LAG_RECORDS, LAG_SECONDS, GROUP_MEMBERS, END_OFFSET, UNDER_REPLICATED, BROKERS)

log = structlog.get_logger()


@settings
class LagExporterSettings(ProcessSettings, KafkaSettings):
    """Settings of the probe."""

    probe_every: timedelta = timedelta(seconds=5)


class Seen(msgspec.Struct, frozen=True):
    """The result of one query: lags, members by group, end offsets by topic, and the cluster."""

    lags: Sequence[Lag]
    members: Mapping[str, int]
    ends: Mapping[str, int]
    cluster: Cluster


class LagProbe(Periodic):
    """Looks from time to time and shows what it saw last. `look` may raise what `_look` does."""

    name = NAME

    def __init__(
        self,
        look: Callable[[], Seen],
        every: timedelta,
        telemetry: Telemetry,
        require_rights: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(telemetry.health)
        self._look = look
        self._every = every.total_seconds()
        self._failures = telemetry.metrics.counter(LAG_FAILURES)
        self._seen: Seen | None = None
        self._require_rights = require_rights
        self._health.lacks(WHAT, "not looked yet")
        telemetry.metrics.on_scrape_together(SHOWN, lambda: _shown(self._seen))

    def check(self) -> float:
        """Keep what there is to show; if Kafka does not answer show nothing, and report the reason."""
        try:
            self._seen = self._look()
            self._health.has(WHAT)
            self._require_rights()
            self._health.has(RIGHTS)
        except RightMissingError as error:
            self._health.lacks(RIGHTS, str(error))  # the numbers are shown all the same
        except (ConnectionError, TopicsError, PartitionReadError) as error:
            log.warning("cannot look at the lag, trying again", error=str(error))
            self._seen = None
            self._failures.inc()
            self._health.lacks(WHAT, str(error))
        return self._every


def _shown(seen: Seen | None) -> Sequence[Reading]:
    if seen is None:
        return [None] * len(SHOWN)
    ages = {(lag.group, lag.topic): math.nan if lag.seconds is None else lag.seconds for lag in seen.lags}
    return [
        {(lag.group, lag.topic): lag.records for lag in seen.lags},
        ages,
        seen.members,
        seen.ends,
        {topic.name: seen.cluster.under_replicated.get(topic.name, 0) for topic in TOPICS},
        seen.cluster.brokers,
    ]


def _look(topics: KafkaAdmin, ages: Ages) -> Seen:
    """Return what there is. Raises ConnectionError, TopicsError and PartitionReadError."""
    ends: Counter[str] = Counter()
    for place, offset in topics.ends(partitions()).items():
        ends[place.topic] += offset
    members = topics.members(groups())  # names a denied group at once; the question for its offsets would time out
    return Seen(lags(topics, ages), members, ends, topics.cluster())


def build(settings: LagExporterSettings, telemetry: Telemetry) -> Plan:
    """Return the probe's parts."""
    topics, ages = KafkaAdmin(settings, NAME), Ages(settings, telemetry.clock)
    rights = partial(RightsCheck(settings, topics).require, READ)
    probe = LagProbe(partial(_look, topics, ages), settings.probe_every, telemetry, rights)
    return Plan(prepare=lambda: None, components=[probe, CertificateWatch(settings, telemetry)], close=lambda: None)
