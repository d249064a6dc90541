"""Kafka: the records of the topics, how far the groups are, what went wrong there, and the clients' own view."""

from k8s.dashboards import shared_panels, style
from k8s.dashboards.board import Board, Row
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Bars, Series, Stat
from k8s.dashboards.promql import (
    GROUP,
    PROBE,
    TOPIC,
    increases,
    most,
    of,
    per,
    quantile,
    rate,
)

NAME, GROUP_NAME = "messaging_destination_name", "messaging_consumer_group_name"
BY_TOPIC, BY_GROUP, BY_CLIENT = f"{{{{{NAME}}}}}", f"{{{{{GROUP_NAME}}}}}", "{{job}} {{client}}"
END, LAG, AGE = "topic_end_offset", "consumer_lag_records", "consumer_lag_seconds"
OPERATION = "messaging_client_operation_duration_seconds"
BEHIND_S = 60  # as in the alert

NOW = Row(
    "",
    (
        Stat(
            title="Records written",
            queries=(Query(per("", rate(END, TOPIC, where=PROBE))),),
            unit="recps",
            normal="three for each event of a user, one for each event of a mail.",
            act="zero under load: the relay is behind, see Reliability, outbox.",
        ),
        Stat(
            title="Oldest unread",
            queries=(Query(most("", of(AGE, TOPIC, where=GROUP))),),
            unit="s",
            normal="some seconds at most, in the steps in which the probe looks.",
            act="a minute and more: the group is stuck or gone, not only slow.",
            runbook="ConsumerLagging",
            good=Good.ZERO,
            steps=style.rising(10, BEHIND_S),
        ),
        Stat(
            title="Brokers",
            queries=(Query(most("", of("kafka_brokers", where=PROBE))),),
            unit="short",
            normal="as many as were set up.",
            act="one less: its log; none: the probe cannot ask, see its failures.",
            runbook="BrokerUnreachable",
            steps=style.below(1),
        ),
        Stat(
            title="Under-replicated",
            queries=(Query(per("", of("topic_under_replicated_partitions", TOPIC, where=PROBE))),),
            unit="short",
            normal="zero partitions; for a minute some, when a broker restarts.",
            act="a broker is unreachable or behind: do not restart another one now.",
            runbook="PartitionsUnderReplicated",
            good=Good.ZERO,
            steps=style.NONE_ALLOWED,
        ),
        shared_panels.DEAD_LETTERS,
        shared_panels.PARKED_KEYS,
    ),
)

TOPICS = Row(
    "Topics",
    (
        Series(
            title="How fast does each topic grow?",
            stacked=True,
            queries=(Query(per(NAME, rate(END, TOPIC, where=PROBE)), BY_TOPIC),),
            width=8,
            unit="recps",
            normal="the three topics of the user service together; no dead letters, which would be red.",
            act="a topic of dead letters that grows: see what is refused below.",
        ),
        Bars(
            title="How many records has each topic had?",
            queries=(Query(most(NAME, of(END, TOPIC, where=PROBE)), BY_TOPIC),),
            width=8,
            unit="locale",
            normal="facts are kept for ever; records that retention and compaction removed are counted too.",
            act="lower than yesterday: the topic was recreated, which stops its consumers on purpose.",
        ),
        Series(
            title="Who consumes how much?",
            stacked=True,
            queries=(Query(per(GROUP_NAME, rate("messaging_client_consumed_messages_total", TOPIC)), BY_GROUP),),
            width=8,
            unit="recps",
            normal="each group follows the topics that it reads.",
            act="a group that is missing while topics grow: see its lag and its members.",
        ),
    ),
)

GROUPS = Row(
    "Consumer groups, as the lag probe sees them: also while they are dead",
    (
        Series(
            title="How far behind is each group?",
            queries=(Query(per(GROUP_NAME, of(LAG, TOPIC, where=GROUP)), BY_GROUP),),
            unit="short",
            width=6,
            normal="near zero, with short peaks.",
            act="a slope that lasts: it consumes less than is written. See its batches on Services.",
            runbook="ConsumerLagging",
            good=Good.ZERO,
        ),
        Series(
            title="How old is the oldest unread?",
            queries=(Query(most(GROUP_NAME, of(AGE, TOPIC, where=GROUP)), BY_GROUP),),
            unit="s",
            width=6,
            normal="some seconds at most. The line is where the alert is.",
            act="a straight slope of one second a second: nobody consumes at all.",
            runbook="ConsumerLagging",
            good=Good.ZERO,
            steps=style.above(BEHIND_S),
        ),
        Series(
            title="Does each group have members?",
            queries=(Query(most(GROUP_NAME, of("consumer_group_members", where=GROUP)), BY_GROUP),),
            unit="short",
            width=6,
            normal="one for each process of the service.",
            act="zero: the service does not run, or cannot join; its log shows which.",
            runbook="GroupWithoutMembers",
        ),
        Series(
            title="When did partitions move?",
            queries=(Query(per("job", increases("kafka_client_rebalances_total")), "{{job}}"),),
            unit="short",
            width=6,
            normal="only when a process starts or ends.",
            act="again and again: a member that joins and is lost, look at its CPU and its log.",
            good=Good.ZERO,
        ),
    ),
)

REFUSED = Row(
    "What could not be applied",
    (
        shared_panels.dead_letters_by_reason(width=8),
        shared_panels.parked_keys_by_service(width=8),
        Series(
            title="How near are the ceilings?",
            queries=(Query(most("job, ceiling", of("ceiling_used_ratio")), "{{job}} {{ceiling}}"),),
            unit="percentunit",
            width=8,
            most=1,
            normal="near zero. At 100 % the consumer stops, so that a flood is not dead-lettered unseen.",
            act="find what floods before it stops: python -m services.console held list shows the reasons.",
            runbook="CeilingNear",
            good=Good.ZERO,
            steps=style.rising(0.5, 1),
        ),
    ),
)

CLIENTS = Row(
    "The clients' own view of the broker",
    (
        Series(
            title="How soon does the broker answer? (p99)",
            queries=(Query(most("job, client", of("kafka_client_round_trip_seconds", 'percentile="99"')), BY_CLIENT),),
            width=8,
            unit="s",
            normal="milliseconds for producers; a consumer's fetch waits up to 0.1 s for records, so 0.1 s is calm.",
            act="producers above that: the broker's disk, or the network.",
        ),
        Series(
            title="How soon does it confirm? (p95)",
            queries=(
                Query(
                    quantile(0.95, OPERATION, "job, messaging_operation_name"),
                    "{{job}} {{messaging_operation_name}}",
                ),
            ),
            width=8,
            unit="s",
            normal="tens of milliseconds: publish is a whole chunk of the relay, commit a hint.",
            act="seconds: replicas that do not follow, see under-replicated partitions.",
        ),
        Series(
            title="How many records wait in producers?",
            queries=(Query(per("job, client", of("kafka_client_queue_messages")), BY_CLIENT),),
            width=8,
            unit="short",
            normal="up to a chunk, and empty in between.",
            act="full and level: the broker does not answer.",
            good=Good.ZERO,
        ),
        Series(
            title="How much has been fetched and waits?",
            queries=(Query(per("job", of("kafka_client_fetch_queue_bytes")), "{{job}}"),),
            width=8,
            unit="bytes",
            normal="little; a backlog fills it up to its limit, which bounds memory.",
            act="full for long: the consumer is slower than the broker, see its batches on Services.",
            good=Good.ZERO,
        ),
        Series(
            title="How many brokers does each client reach?",
            queries=(Query(most("job, client", of("kafka_client_brokers_up")), BY_CLIENT),),
            width=8,
            unit="short",
            normal="as many as it talks to, one at least.",
            act="zero: address, certificates, network policy; the service's log names what was tried.",
            runbook="BrokerUnreachable",
        ),
        Series(
            title="Which requests fail or are repeated?",
            queries=(
                Query(per("job", rate("kafka_client_request_errors_total")), "{{job}} failed"),
                Query(per("job", rate("kafka_client_request_retries_total")), "{{job}} repeated"),
                Query(per("", rate("lag_probe_failures_total", where=PROBE)), "lag probe failed"),
            ),
            width=8,
            unit="reqps",
            normal="zero, but for the moments when a broker restarts.",
            act="steady errors: the log has them by name. The probe alone: lag and topics on this page are old.",
            good=Good.ZERO,
        ),
        Series(
            title="Which errors do clients report?",
            queries=(
                Query(
                    per("job, client, error", increases("kafka_client_error_events_total")),
                    f"{BY_CLIENT} {{{{error}}}}",
                ),
            ),
            width=8,
            unit="short",
            normal="none, but for lost connections when a broker restarts.",
            act="an authorization or _FATAL: nothing is read; `/readyz` names the right or the setting.",
            runbook="ConsumerPaused",
            good=Good.ZERO,
        ),
    ),
)

BOARD = Board(
    uid="eventline-kafka",
    title="Eventline / Kafka",
    question="What is in the topics, and does every consumer keep up?",
    rows=(NOW, TOPICS, GROUPS, REFUSED, CLIENTS),
)
