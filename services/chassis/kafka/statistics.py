"""What librdkafka tells of itself every few seconds, as JSON: of its many figures those that are shown.

Source: STATISTICS.md of librdkafka. It is handed over within `poll`, so a client that tells must be polled.
"""

from functools import partial

import msgspec

from services.chassis.kafka.client_metrics import ClientMetrics, ClientStatistics
from services.chassis.kafka.config import Config
from services.chassis.telemetry.metrics.kafka import (
    BROKERS_UP,
    FETCH_QUEUE,
    QUEUE,
    REBALANCES,
    REQUEST_ERRORS,
    REQUEST_RETRIES,
)

EVERY_MS = 5000
MICROSECOND = 1e-6


class _RoundTrips(msgspec.Struct):
    p50: int = 0  # microseconds
    p99: int = 0
    cnt: int = 0


class _Broker(msgspec.Struct):
    nodeid: int = -1  # of a bootstrap address, and of the coordinator, which is a second name for a broker
    state: str = ""
    txerrs: int = 0
    rxerrs: int = 0
    req_timeouts: int = 0
    txretries: int = 0
    rtt: _RoundTrips = msgspec.field(default_factory=_RoundTrips)


class _Partition(msgspec.Struct):
    fetchq_size: int = 0


class _Topic(msgspec.Struct):
    partitions: dict[str, _Partition] = {}


class _Group(msgspec.Struct):
    rebalance_cnt: int = 0


class _Told(msgspec.Struct):
    msg_cnt: int = 0
    brokers: dict[str, _Broker] = {}
    topics: dict[str, _Topic] = {}
    cgrp: _Group = msgspec.field(default_factory=_Group)


DECODER = msgspec.json.Decoder(_Told)


def told_to(metrics: ClientMetrics | None) -> Config:
    """Return what makes a client tell its statistics, nothing where nobody listens."""
    return {"statistics.interval.ms": EVERY_MS, "stats_cb": partial(_tell, metrics)} if metrics else {}


def read(text: str) -> ClientStatistics:
    """Return what is shown."""
    told = DECODER.decode(text)
    brokers = list(told.brokers.values())
    asked = [broker.rtt for broker in brokers if broker.rtt.cnt]
    slowest = {"50": max(one.p50 for one in asked), "99": max(one.p99 for one in asked)} if asked else {}
    fetched = sum(place.fetchq_size for topic in told.topics.values() for place in topic.partitions.values())
    return ClientStatistics(
        gauges={
            BROKERS_UP: sum(broker.state == "UP" and broker.nodeid >= 0 for broker in brokers),
            QUEUE: told.msg_cnt,
            FETCH_QUEUE: fetched,
        },
        counts={
            REQUEST_ERRORS: sum(broker.txerrs + broker.rxerrs + broker.req_timeouts for broker in brokers),
            REQUEST_RETRIES: sum(broker.txretries for broker in brokers),
            REBALANCES: told.cgrp.rebalance_cnt,
        },
        round_trips={percentile: micros * MICROSECOND for percentile, micros in slowest.items()},
    )


def _tell(metrics: ClientMetrics, text: str) -> None:
    metrics.told(read(text))
