"""Cases of the alerts on brokers, databases, volumes and the mail server."""

from tests.alerts.case import WHERE, Case, flat, rising

GIB, MIB = 2**30, 2**20
USER = f'job="user", {WHERE}'
INBOX = f'{USER}, table="inbox"'
NOTIFICATION = f'job="notification", {WHERE}'
DEFERRED = f'mail_refusals_total{{{NOTIFICATION}, outcome="deferred", instance="1"}}'
PROBE = f'job="console", {WHERE}, instance="1"'
SERVER = 'server_address="kafka:9092"'
CERTIFICATE = f'job="console", {WHERE}, {SERVER}'
DAY = 24 * 3600  # promtool's time begins at 0
TOPIC = 'messaging_destination_name="user.state.v1"'
VOLUME = f'{WHERE}, persistentvolumeclaim="data-eventline-kafka-0"'
OURS = {f'app_build_info{{{USER}, service="user", version="1"}}': flat((1, 600))}


def _of(metric: str, labels: str, *phases: tuple[float | str, int], instance: str = "1") -> dict[str, str]:
    return {f'{metric}{{{labels}, instance="{instance}"}}': flat(*phases)}


def _brokers(client: str, *phases: tuple[float | str, int]) -> dict[str, str]:
    return _of("kafka_client_brokers_up", f'{USER}, client="{client}"', *phases)


def _volume(available: str, labels: str = VOLUME) -> dict[str, str]:
    kubelet = f'job="kubelet", {labels}'
    return {
        f"kubelet_volume_stats_available_bytes{{{kubelet}}}": available,
        f"kubelet_volume_stats_capacity_bytes{{{kubelet}}}": flat((10 * GIB, 600)),
    }


CASES = (
    Case(
        alert="BrokerUnreachable",
        story="no client of the service reaches a broker",
        series=_brokers("relay", (1, 10), (0, 10), (1, 10)) | _brokers("consumer", (1, 10), (0, 10), (1, 10)),
        firing={9: [], 13: [USER], 21: []},
    ),
    Case(
        alert="BrokerUnreachable",
        story="one client reconnects while the other is connected",
        series=_brokers("relay", (1, 10), (0, 20)) | _brokers("consumer", (1, 30)),
        firing={13: [], 29: []},
    ),
    Case(
        alert="PartitionsUnderReplicated",
        story="a broker is down for longer than a restart",
        series=_of("topic_under_replicated_partitions", f'job="console", {WHERE}, {TOPIC}', (0, 10), (3, 10), (0, 10)),
        firing={9: [], 18: [f"{WHERE}, {TOPIC}"], 21: []},
    ),
    Case(
        alert="PartitionsUnderReplicated",
        story="a broker is restarted",
        series=_of("topic_under_replicated_partitions", f'job="console", {WHERE}, {TOPIC}', (0, 10), (3, 4), (0, 10)),
        firing={12: [], 16: [], 23: []},
    ),
    Case(
        alert="LagProbeBlind",
        story="the probe runs and tells no lag",
        series={f"up{{{PROBE}}}": flat((1, 30)), f"consumer_lag_records{{{PROBE}}}": flat((5, 10), ("_", 10), (5, 10))},
        firing={9: [], 18: [WHERE], 21: []},
    ),
    Case(
        alert="LagProbeBlind",
        story="the probe itself is down, which another alert tells; nothing lags",
        series={f"up{{{PROBE}}}": flat((1, 10), (0, 20)), f"consumer_lag_records{{{PROBE}}}": flat((0, 10), ("_", 20))},
        firing={9: [], 29: []},
    ),
    Case(
        alert="KafkaCertificateExpires",
        story="a certificate of a fortnight, renewed when it has been noticed",
        series=_of(
            "kafka_certificate_expiry_timestamp_seconds", CERTIFICATE, (15 * DAY, 20), (13 * DAY, 20), (90 * DAY, 10)
        ),
        firing={19: [], 35: [f"{WHERE}, {SERVER}"], 42: []},
    ),
    Case(
        alert="KafkaCertificateExpires",
        story="no client uses TLS, or no server answers",
        series=_of("kafka_certificate_expiry_timestamp_seconds", CERTIFICATE, ("_", 40)),
        firing={30: []},
    ),
    Case(
        alert="MailServerDown",
        story="no replica reaches the mail server",
        series=_of("mail_server_up", NOTIFICATION, (1, 10), (0, 10), (1, 10))
        | _of("mail_server_up", NOTIFICATION, (1, 10), (0, 10), (1, 10), instance="2"),
        firing={9: [], 15: [NOTIFICATION], 21: []},
    ),
    Case(
        alert="MailServerDown",
        story="one replica reaches it; a minute without it",
        series=_of("mail_server_up", NOTIFICATION, (0, 30))
        | _of("mail_server_up", NOTIFICATION, (1, 10), (0, 1), (1, 19), instance="2"),
        firing={10: [], 12: [], 29: []},
    ),
    Case(
        alert="MailsRefused",
        story="the mail server refuses everybody for ten minutes, then nobody",
        series={DEFERRED: rising((0, 10), (4, 10), (0, 20))},
        firing={9: [], 12: [NOTIFICATION], 38: []},
    ),
    Case(
        alert="MailsRefused",
        story="single addresses bounce and single mails are refused",
        series={DEFERRED.replace("deferred", "bounced"): rising((2, 40)), DEFERRED: flat((0, 40))},
        firing={12: [], 30: []},
    ),
    Case(
        alert="MailsWaiting",
        story="a mail has been open for the better part of an hour",
        series=_of("mail_oldest_open_age_seconds", NOTIFICATION, (0, 10), (2400, 20), (0, 10)),
        firing={12: [], 20: [NOTIFICATION], 31: []},
    ),
    Case(
        alert="MailsWaiting",
        story="a mail is refused for now and accepted twenty minutes later",
        series=_of("mail_oldest_open_age_seconds", NOTIFICATION, (600, 10), (1200, 10), (0, 10), ("NaN", 10)),
        firing={9: [], 19: [], 39: []},
    ),
    Case(
        alert="DatabaseSpaceLow",
        story="something fills the disk",
        series=_of("database_free_bytes", USER, (8 * GIB, 10), (100 * MIB, 10), (8 * GIB, 10)),
        firing={9: [], 15: [USER], 21: []},
    ),
    Case(
        alert="DatabaseSpaceLow",
        story="a vacuum needs the room for a minute",
        series=_of("database_free_bytes", USER, (GIB, 10), (100 * MIB, 1), (GIB, 10)),
        firing={10: [], 12: [], 20: []},
    ),
    Case(
        alert="DatabaseLarge",
        story="years of facts, and what is kept elsewhere since",
        series=_of("database_size_bytes", USER, (9 * GIB, 10), (11 * GIB, 20), (2 * GIB, 10)),
        firing={9: [], 25: [USER], 31: []},
    ),
    Case(
        alert="DatabaseLarge",
        story="a database of the usual size, and one that nobody can ask",
        series=_of("database_size_bytes", USER, (9 * GIB, 20), ("NaN", 20)),
        firing={19: [], 39: []},
    ),
    Case(
        alert="RowsNotDeleted",
        story="the deletion stops, then catches up",
        series=_of("table_overdue_seconds", INBOX, (0, 10), (4000, 30), (0, 10)),
        firing={9: [], 15: [], 25: [INBOX], 41: []},
    ),
    Case(
        alert="RowsNotDeleted",
        story="rows wait for the next look",
        series=_of("table_overdue_seconds", INBOX, (600, 40)),
        firing={39: []},
    ),
    Case(
        alert="VolumeSpaceLow",
        story="a tenth is left, until the volume is enlarged",
        series=OURS | _volume(flat((5 * GIB, 10), (GIB // 2, 20), (5 * GIB, 10))),
        firing={9: [], 20: [VOLUME], 31: []},
    ),
    Case(
        alert="VolumeSpaceLow",
        story="what others fill is theirs",
        series=OURS | _volume(flat((GIB // 2, 40)), 'namespace="other", persistentvolumeclaim="data"'),
        firing={20: [], 39: []},
    ),
    Case(
        alert="VolumeFillsSoon",
        story="it will be full in two days, until something is deleted",
        series=OURS | _volume(f"{5 * GIB}-{2 * MIB}x150 {8 * GIB}x50"),
        firing={30: [], 120: [VOLUME], 200: []},
    ),
    Case(
        alert="VolumeFillsSoon",
        story="it grows by the weeks",
        series=OURS | _volume(f"{5 * GIB}-{MIB // 4}x200"),
        firing={100: [], 199: []},
    ),
)
