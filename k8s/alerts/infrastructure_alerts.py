"""Alerts on what the services depend on: Kafka, the mail server, room for their databases."""

from k8s.alerts.alert import Alert

OURS = "on (namespace) group by (namespace) (app_build_info)"  # other people's volumes are theirs

ALERTS = (
    Alert(
        name="BrokerUnreachable",
        when="max by (job, namespace) (kafka_client_brokers_up) == 0",
        lasting="1m",
        severity="page",
        summary="{{ $labels.job }} reaches no Kafka broker",
        description="Events are kept and nothing is lost, but nothing is published or consumed by {{ $labels.job }}.",
    ),
    Alert(
        name="PartitionsUnderReplicated",
        when="max by (namespace, messaging_destination_name) (topic_under_replicated_partitions) > 0",
        lasting="5m",
        severity="page",
        summary="{{ $labels.messaging_destination_name }} has {{ $value }} partitions with too few replicas",
        description="A broker is unreachable or behind: one more loss may stop writes or lose records.",
    ),
    Alert(
        name="LagProbeBlind",
        when="""max by (namespace) (up{job="console"}) == 1
unless on (namespace) group by (namespace) (consumer_lag_records)""",
        lasting="2m",
        severity="ticket",
        summary="The lag probe sees nothing",
        description="The probe runs but cannot query the broker, so lag, members and dead letters are unknown.",
    ),
    Alert(
        name="KafkaCertificateExpires",
        when="min by (namespace, server_address) (kafka_certificate_expiry_timestamp_seconds) - time() < 14d",
        lasting="10m",
        severity="ticket",
        summary="The certificate of {{ $labels.server_address }} expires in {{ $value | humanizeDuration }}",
        description="Once it has expired, no client connects to Kafka: events wait, neither published nor read.",
    ),
    Alert(
        name="MailServerDown",
        when="max by (job, namespace) (mail_server_up) == 0",
        lasting="2m",
        severity="page",
        summary="The mail server cannot be reached",
        description="{{ $labels.job }}'s mails wait in its database, in order; no try is counted meanwhile.",
    ),
    Alert(
        name="MailsRefused",
        when='sum by (job, namespace) (increase(mail_refusals_total{outcome="deferred"}[15m])) > 0',
        lasting="0s",
        severity="ticket",
        summary="The mail server refuses more than single mails",
        description="{{ $labels.job }} defers what is refused above the ceiling, and flags no more addresses for it.",
    ),
    Alert(
        name="MailsWaiting",
        when="max by (job, namespace) (mail_oldest_open_age_seconds) > 30m",
        lasting="5m",
        severity="ticket",
        summary="A mail has waited {{ $value | humanizeDuration }}",
        description="{{ $labels.job }}'s oldest open mail is refused for now, or sending is too slow.",
    ),
    Alert(
        name="DatabaseSpaceLow",
        when="min by (job, namespace) (database_free_bytes) < 512MiB",
        lasting="2m",
        severity="page",
        summary="{{ $labels.job }}'s database has {{ $value | humanize1024 }}B left",
        description="The file system of {{ $labels.job }}'s database fills up. When it is full, commands are refused.",
    ),
    Alert(
        name="DatabaseLarge",
        when="max by (job, namespace) (database_size_bytes) > 10GiB",
        lasting="10m",
        severity="ticket",
        summary="{{ $labels.job }}'s database has {{ $value | humanize1024 }}B",
        description="Facts are kept for ever: see that the volume, and the backups, of {{ $labels.job }} keep up.",
    ),
    Alert(
        name="RowsNotDeleted",
        when="max by (job, namespace, table) (table_overdue_seconds) > 1h",
        lasting="10m",
        severity="ticket",
        summary="{{ $labels.job }} has not deleted old rows of {{ $labels.table }} for {{ $value | humanizeDuration }}",
        description="The table {{ $labels.table }} of {{ $labels.job }} grows for as long. Nothing is wrong otherwise.",
    ),
    Alert(
        name="VolumeSpaceLow",
        when=f"""min by (namespace, persistentvolumeclaim) (
  kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes
) < 0.1
and {OURS}""",
        lasting="5m",
        severity="page",
        summary="{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left",
        description="A full volume stops the broker or the database on it. Neither loses what it has acknowledged.",
    ),
    Alert(
        name="VolumeFillsSoon",
        when=f"""min by (namespace, persistentvolumeclaim) (
  predict_linear(kubelet_volume_stats_available_bytes[6h], 4d)
) < 0
and {OURS}""",
        lasting="1h",
        severity="ticket",
        summary="{{ $labels.persistentvolumeclaim }} will be full within four days",
        description="At the pace of the last six hours. Facts are kept for ever, on topics and in databases.",
    ),
)
