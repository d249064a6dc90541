"""Requests, the commands that they bring, and the database under everything."""

from services.chassis.telemetry.metrics.declared import Declared
from services.contracts.service_list import JOBS, WITH_API

HTTP_DURATION = Declared(
    name="http_server_request_duration_seconds",
    kind="histogram",
    unit="seconds",
    meaning="Time to answer a request.",
    services=WITH_API,
    labels=("http_request_method", "http_route", "http_response_status_code"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)
HTTP_ACTIVE = Declared(
    name="http_server_active_requests",
    kind="gauge",
    unit="requests",
    meaning="Requests being answered.",
    services=WITH_API,
)
RATE_LIMITED = Declared(
    name="http_server_rate_limited_total",
    kind="counter",
    unit="requests",
    meaning="Requests refused by 429, by whose limit it was: the caller's or the address's.",
    services=WITH_API,
    labels=("limit",),
)
TOKENS = Declared(
    name="http_server_tokens_total",
    kind="counter",
    unit="tokens",
    meaning="Bearer tokens of requests, accepted or by the reason of their refusal; no series without authentication.",
    services=WITH_API,
    labels=("outcome",),
)
GROUP_SIZE = Declared(
    name="writer_group_size",
    kind="histogram",
    unit="commands",
    meaning="Commands committed together.",
    services=("user",),
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
)
WRITER_QUEUE = Declared(
    name="writer_queue_commands",
    kind="gauge",
    unit="commands",
    meaning="Commands that wait for the group before theirs to be committed.",
    services=("user",),
)
DB_DURATION = Declared(
    name="db_client_operation_duration_seconds",
    kind="histogram",
    unit="seconds",
    meaning="Time from a connection asked for to the end of the transaction, read or write.",
    services=WITH_API,
    labels=("db_operation_name",),
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0),
)
DB_USED = Declared(
    name="db_client_connections_used",
    kind="gauge",
    unit="connections",
    meaning="Connections of the pool that are in use.",
    services=WITH_API,
)
DB_MAX = Declared(
    name="db_client_connections_max",
    kind="gauge",
    unit="connections",
    meaning="Connections that may be open at once; who asks for one more waits.",
    services=WITH_API,
)
DB_SIZE = Declared(
    name="database_size_bytes",
    kind="gauge",
    unit="bytes",
    meaning="Size of the service's own database, its log included.",
    services=WITH_API,
)
DB_FREE = Declared(
    name="database_free_bytes",
    kind="gauge",
    unit="bytes",
    meaning="Bytes free on SQLite's file system; no series on PostgreSQL, which cannot tell.",
    services=WITH_API,
)
SCRAPE_CPU = Declared(
    name="metrics_scrape_cpu_seconds",
    kind="histogram",
    unit="seconds",
    meaning="Processor time that it took to answer /metrics, the queries for it included.",
    services=JOBS,
    buckets=(0.0025, 0.005, 0.01, 0.02, 0.05, 0.1),
)
BUILD = Declared(
    name="app_build_info",
    kind="gauge",
    unit="1",
    meaning="The running program and its version.",
    services=JOBS,
    labels=("service", "version"),
)
CLOCK = Declared(
    name="process_clock_seconds",
    kind="gauge",
    unit="seconds since 1970",
    meaning="The wall clock of the process when it was scraped, to be compared with Prometheus's own.",
    services=JOBS,
)
