"""Services: what each is asked, how often it fails, how long it takes, and what fills up."""

from k8s.alerts.slos import ANSWER_S
from k8s.dashboards import callers, replicas, style
from k8s.dashboards.board import NAMESPACE, SERVICE, Board, Row
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Series, Stat
from k8s.dashboards.promql import increases, mean, most, of, per, quantile, rate

HTTP = "http_server_request_duration_seconds"
BATCH = "messaging_process_duration_seconds"
GROUP = "messaging_consumer_group_name"
FAILED = 'http_response_status_code=~"5.."'
ENDPOINT = "{{job}} {{http_request_method}} {{http_route}}"
ALL, FAILURES = per("", rate(f"{HTTP}_count")), per("", rate(f"{HTTP}_count", FAILED))

NOW = Row(
    "",
    (
        Stat(
            title="Requests",
            queries=(Query(ALL),),
            unit="reqps",
            normal="what the callers send, reads included.",
            act="zero with callers there: they do not reach the service, look at its address and its readiness.",
        ),
        Stat(
            title="Answered OK",
            queries=(Query(f"1 - ({FAILURES} or 0 * {ALL}) / {ALL}"),),
            unit="percentunit",
            normal="100 %; the promise is 99.9 % over a month. Errors of the caller (4xx) do not count.",
            act="the panel of refused and failed requests names the endpoint; the service's log has the reason.",
            runbook="ApiAvailabilityBudgetBurn",
            steps=style.falling(0.99, 0.999),
        ),
        Stat(
            title="Answer time, p99",
            queries=(Query(quantile(0.99, HTTP, "", 'http_route!="/notifications"')),),
            unit="s",
            normal=f"some tens of milliseconds; promised are {ANSWER_S:g} s.",
            act="see which endpoint it is, then whether commands wait for the writer or the database is slow.",
            runbook="ApiLatencyBudgetBurn",
            steps=style.rising(ANSWER_S / 2, ANSWER_S),
        ),
        Stat(
            title="Processes down",
            queries=(Query(f"count({of('up')}) - sum({of('up')})"),),
            unit="short",
            normal="zero: every process that Prometheus knows of answers.",
            act="look for the process: the end of its log has the reason.",
            runbook="ServiceDown",
            good=Good.ZERO,
            steps=style.NONE_ALLOWED,
        ),
        Stat(
            title="Restarts",
            queries=(Query(per("", f"changes({of('process_start_time_seconds')}[$__range])")),),
            unit="short",
            normal="zero, but for a rollout. It counts the time that this page shows.",
            act="the log's end from before the restart names the part that failed.",
            runbook="ServiceRestarting",
            good=Good.ZERO,
            steps=style.rising(1, 3),
        ),
        Stat(
            title="Memory",
            queries=(Query(per("", of("process_resident_memory_bytes"))),),
            unit="bytes",
            normal="some 100 MiB for each process, and it stays there.",
            act="one that climbs for hours: compare with its batches and queues below.",
        ),
    ),
)

REQUESTS = Row(
    "Requests",
    (
        Series(
            title="What is asked?",
            queries=(Query(per("job, http_request_method, http_route", rate(f"{HTTP}_count")), ENDPOINT),),
            unit="reqps",
            stacked=True,
            normal="the callers' mix.",
            act="an endpoint that nobody asks any more: ask its callers.",
        ),
        Series(
            title="How long do answers take? (p95)",
            queries=(Query(quantile(0.95, HTTP, "job, http_request_method, http_route"), ENDPOINT),),
            unit="s",
            normal="writes take longer than reads: they wait for their group's commit. The line is the promise.",
            act="writes alone: the writer or the database. All of one service: its CPU.",
            runbook="ApiLatencyBudgetBurn",
            good=Good.ZERO,  # a route that was asked before the first scrape and not since
            steps=style.above(ANSWER_S),
        ),
        Series(
            title="Which requests are refused or fail?",
            queries=(
                Query(
                    per(
                        "job, http_route, http_response_status_code",
                        rate(f"{HTTP}_count", 'http_response_status_code=~"[45].."'),
                    ),
                    "{{job}} {{http_route}} {{http_response_status_code}}",
                ),
            ),
            unit="reqps",
            normal="few 4xx: callers that lose a race (412) or ask for what is not there (404). No 5xx.",
            act="5xx: the service's log, by the correlation id. Many 4xx: docs/errors.md explains each.",
            runbook="ApiAvailabilityBudgetBurn",
            good=Good.EMPTY,
        ),
        Series(
            title="How many requests are being answered?",
            queries=(Query(per("job", of("http_server_active_requests")), "{{job}}"),),
            unit="short",
            normal="a few; the rate times the time that an answer takes.",
            act="it climbs: answers take longer, or callers do not stop.",
            good=Good.ZERO,
        ),
    ),
)

CONSUMERS = Row(
    "Consumers",
    (
        Series(
            title="How much do groups consume?",
            stacked=True,
            queries=(Query(per(GROUP, rate("messaging_client_consumed_messages_total")), f"{{{{{GROUP}}}}}"),),
            unit="recps",
            width=6,
            normal="audit reads every topic, notification two, user one.",
            act="one falls while the others do not: see its lag on Kafka.",
        ),
        Series(
            title="A batch takes (p95)",
            queries=(Query(quantile(0.95, BATCH, GROUP), f"{{{{{GROUP}}}}}"),),
            unit="s",
            width=6,
            normal="some milliseconds to some tens; a batch is one transaction, and one disk flush.",
            act="a long time with small batches: the database or its disk. With large ones: it is catching up.",
        ),
        Series(
            title="How many records are in a batch?",
            queries=(Query(mean("consumer_batch_size", GROUP), f"{{{{{GROUP}}}}}"),),
            unit="short",
            width=6,
            normal="few at rest, more under load: what has come meanwhile is taken together.",
            act="hundreds for minutes: the group is behind, see its lag on Kafka.",
        ),
        Series(
            title="Is a consumer paused?",
            queries=(
                Query(most(GROUP, of("consumer_paused")), f"{{{{{GROUP}}}}} paused"),
                Query(per("", increases("progress_lost_races_total")), "races lost"),
            ),
            unit="short",
            width=6,
            most=1,
            normal="zero. A race is lost when partitions move from one process to another.",
            act="paused: its database is unreachable, or it lacks partitions or a right. Many races: a rebalance.",
            runbook="ConsumerPaused",
            good=Good.ZERO,
        ),
    ),
)

SATURATION = Row(
    "What fills up",
    (
        Series(
            title="Do commands wait for the writer?",
            queries=(Query(per("job", of("writer_queue_commands")), "{{job}}"),),
            unit="short",
            width=6,
            normal="none or a few: those of the group that comes next.",
            act="it stays high: each commit takes long, see the transactions beside.",
            good=Good.ZERO,
        ),
        Series(
            title="How large are commit groups?",
            queries=(
                Query(mean("writer_group_size", "job"), "{{job}} mean"),
                Query(quantile(0.99, "writer_group_size", "job"), "{{job}} p99"),
            ),
            unit="short",
            width=6,
            normal="one at rest, more the more load: that is what keeps the disk from being the limit.",
            act="always one under load: callers wait for each other, so the load is not parallel.",
        ),
        Series(
            title="Transactions take (p95)",
            queries=(
                Query(
                    quantile(0.95, "db_client_operation_duration_seconds", "job, db_operation_name"),
                    "{{job}} {{db_operation_name}}",
                ),
            ),
            unit="s",
            width=6,
            normal="reads below writes; a write takes a disk flush.",
            act="both rise: the database is busy. Writes alone: its disk, or a long transaction holds the lock.",
        ),
        Series(
            title="How full are connection pools?",
            queries=(
                Query(
                    f"{per('job', of('db_client_connections_used'))} / {per('job', of('db_client_connections_max'))}",
                    "{{job}}",
                ),
            ),
            unit="percentunit",
            width=6,
            most=1,
            normal="well below half.",
            act="at 100 % everybody waits for a connection: find what holds them, transactions beside.",
            good=Good.ZERO,
            steps=style.above(0.9),
        ),
        Series(
            title="How many CPU cores are used?",
            queries=(Query(per("job", rate("process_cpu_seconds_total")), "{{job}}"),),
            unit="short",
            width=6,
            normal="below one core for each process.",
            act="a process at one core is at its limit: add another.",
        ),
        Series(
            title="How much memory is taken?",
            queries=(Query(per("job", of("process_resident_memory_bytes")), "{{job}}"),),
            unit="bytes",
            width=6,
            normal="level after the first minutes.",
            act="it climbs without load: a leak; note what ran and restart the process.",
        ),
        Series(
            title="How many files are open?",
            queries=(Query(most("job", f"{of('process_open_fds')} / {of('process_max_fds')}"), "{{job}}"),),
            unit="percentunit",
            width=6,
            normal="a few per cent of what the system allows.",
            act="it climbs: callers that keep connections, or a leak.",
            steps=style.above(0.8),
        ),
        Series(
            title="How long is each process up?",
            queries=(Query(f"time() - {of('process_start_time_seconds')}", "{{job}} {{instance}}"),),
            unit="s",
            width=6,
            normal="lines that rise; a new line at a rollout.",
            act="saw teeth: a process that fails again and again.",
            runbook="ServiceRestarting",
        ),
    ),
)

BOARD = Board(
    uid="eventline-services",
    title="Eventline / Services",
    question="Is each service well, and what would give way first?",
    rows=(NOW, REQUESTS, *callers.ROWS, CONSUMERS, SATURATION, *replicas.ROWS),
    variables=(NAMESPACE, SERVICE),
)
