"""Decoder of librdkafka's statistics: JSON every 5 s, of which the exported fields are read.

Source: STATISTICS.md of librdkafka. The callback runs within `poll`, so such a client must be polled.
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

INTERVAL_MS = 5000
MICROSECOND = 1e-6


class _RoundTrips(msgspec.Struct):
    p50: int = 0  # microseconds
    p99: int = 0
    cnt: int = 0


class _Broker(msgspec.Struct):
    nodeid: int = -1  # -1: a bootstrap address, or the coordinator, which is a second entry of a broker
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


class _Statistics(msgspec.Struct):
    msg_cnt: int = 0
    brokers: dict[str, _Broker] = {}
    topics: dict[str, _Topic] = {}
    cgrp: _Group = msgspec.field(default_factory=_Group)


DECODER = msgspec.json.Decoder(_Statistics)


def callback_config(metrics: ClientMetrics | None) -> Config:
    """Return the client configuration that reports statistics to `metrics`, empty for None."""
    return {"statistics.interval.ms": INTERVAL_MS, "stats_cb": partial(_update, metrics)} if metrics else {}


def read(text: str) -> ClientStatistics:
    """Decode one report."""
    report = DECODER.decode(text)
    brokers = list(report.brokers.values())
    round_trips = [broker.rtt for broker in brokers if broker.rtt.cnt]
    slowest = (
        {"50": max(rtt.p50 for rtt in round_trips), "99": max(rtt.p99 for rtt in round_trips)} if round_trips else {}
    )
    fetched = sum(part.fetchq_size for topic in report.topics.values() for part in topic.partitions.values())
    return ClientStatistics(
        gauges={
            BROKERS_UP: sum(broker.state == "UP" and broker.nodeid >= 0 for broker in brokers),
            QUEUE: report.msg_cnt,
            FETCH_QUEUE: fetched,
        },
        counts={
            REQUEST_ERRORS: sum(broker.txerrs + broker.rxerrs + broker.req_timeouts for broker in brokers),
            REQUEST_RETRIES: sum(broker.txretries for broker in brokers),
            REBALANCES: report.cgrp.rebalance_cnt,
        },
        round_trips={percentile: micros * MICROSECOND for percentile, micros in slowest.items()},
    )


def _update(metrics: ClientMetrics, text: str) -> None:
    metrics.update(read(text))
