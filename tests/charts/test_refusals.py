"""Values that cannot work are refused at rendering, by name: the row Helm of BAD-INPUT."""

import pytest

from tests.charts.helm import Helm

pytestmark = pytest.mark.charts
LONG = "a" * 64
OAUTH = [
    "kafka.securityProtocol=sasl_ssl",
    "kafka.saslMechanism=OAUTHBEARER",
    "kafka.existingSecret=s",
    "kafka.trustSystem=true",
]
TOKENS = "settings.kafkaOauthTokenUrl=https://login.example.com/token"
TRACED = "tracing.endpoint=http://collector:4318"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("replica=2", "'replica'"),
        ("kafka.bootstrapserver=a:1", "'bootstrapserver'"),
        ("settings.logLevle=debug", "'logLevle'"),
        ("service.port=80", "'port'"),
        ("global.kafka.replica=3", "'replica'"),
        ("global.tag=dev", "'tag'"),
    ],
)
def test_an_unknown_value_is_refused(helm: Helm, value: str, named: str) -> None:
    assert f"additional properties {named} not allowed" in refusal(helm, "user", value)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("replicas=two", "/replicas"),
        ("replicas=7", "/replicas"),
        ("autoscaling.maxReplicas=7", "/autoscaling/maxReplicas"),
        ("kafka.partitions=12", "/kafka/partitions"),
        ("global.kafka.partitions=3", "/global/kafka/partitions"),
        ("kafka.bootstrapServers=kafka", "/kafka/bootstrapServers"),
        ("kafka.securityProtocol=SSL", "/kafka/securityProtocol"),
        ("database.kind=mysql", "/database/kind"),
        ("database.sslMode=allow", "/database/sslMode"),
        ("settings.drainDelay=5", "/settings/drainDelay"),
        ("settings.writerGroup=0", "/settings/writerGroup"),
        ("migrateWithin=300", "/migrateWithin"),
        ("service.type=LoadBalancer", "/service/type"),
        ("service.httpNodePort=8080", "/service/httpNodePort"),
        ("image.tag=a b", "/image/tag"),
        (f"fullnameOverride={LONG}", "/fullnameOverride"),
        ("fullnameOverride=Users", "/fullnameOverride"),
        ("serviceMonitor.enabled=true", "/serviceMonitor/enabled"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(helm: Helm, value: str, named: str) -> None:
    assert f"at '{named}'" in refusal(helm, "user", value)


def test_two_audit_writers_on_sqlite_are_refused(helm: Helm) -> None:
    message = refusal(helm, "audit", "replicas=2", "persistence.enabled=true", "database.kind=sqlite")
    assert "replicas=2 with database.kind=sqlite" in message


def test_scaled_writers_on_sqlite_are_refused(helm: Helm) -> None:
    message = refusal(helm, "audit", "autoscaling.enabled=true", "persistence.enabled=true", "database.kind=sqlite")
    assert "autoscaling.enabled=true with database.kind=sqlite" in message


def test_sqlite_without_persistence_is_refused(helm: Helm) -> None:
    assert "persistence.enabled=false with database.kind=sqlite" in refusal(helm, "user", "database.kind=sqlite")


def test_a_volume_that_postgresql_would_not_use_is_refused(helm: Helm) -> None:
    assert "persistence.enabled=true has no meaning" in refusal(helm, "user", "persistence.enabled=true")


def test_a_name_that_grows_over_63_characters_is_refused(helm: Helm) -> None:
    message = refusal(helm, "notification", release="r" * 53)
    assert "fullnameOverride or the release's name" in message
    assert "of 66 characters" in message


def test_a_name_to_which_a_job_adds_too_much_is_refused(helm: Helm) -> None:
    message = refusal(helm, "console", f"fullnameOverride={'c' * 58}")
    assert "fullnameOverride or the release's name" in message
    assert "-topics" in message or "-test" in message


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["kafka.securityProtocol=sasl_ssl", "kafka.saslMechanism=PLAIN"], "kafka.existingSecret is empty"),
        (["kafka.securityProtocol=sasl_ssl", "kafka.existingSecret=s"], "kafka.saslMechanism is empty"),
        (["kafka.saslMechanism=PLAIN"], "kafka.saslMechanism=PLAIN has no meaning"),
        (["kafka.securityProtocol=ssl"], "kafka.caSecret is empty"),
        (["kafka.certificateSecret=s"], "kafka.certificateSecret has no meaning"),
        (
            ["kafka.securityProtocol=sasl_plaintext", "kafka.saslMechanism=PLAIN", "kafka.existingSecret=s"],
            "kafka.saslMechanism=PLAIN would send the password in the clear",
        ),
        (
            ["kafka.securityProtocol=sasl_plaintext", "kafka.saslMechanism=OAUTHBEARER", "kafka.existingSecret=s"],
            "kafka.saslMechanism=OAUTHBEARER would send the password in the clear",
        ),
        ([*OAUTH, TOKENS], "networkPolicy.kafkaIssuer is empty"),
        ([*OAUTH, TOKENS, "kafka.oauthCaSecret=a", "settings.kafkaOauthCaFile=/b"], "are both given: remove one"),
        (["kafka.oauthCaSecret=a"], "kafka.oauthCaSecret has no meaning"),
        (["kafka.bootstrapServers=kafka.example.com:9092"], "networkPolicy.kafka is empty"),
        (["database.host=postgres.example.com"], "networkPolicy.database is empty"),
        (["database.password=a", "database.existingSecret=b"], "database.password and database.existingSecret"),
        (["autoscaling.enabled=true", "autoscaling.maxReplicas=1"], "autoscaling.minReplicas=2 is above"),
        (["tracing.endpoint=http://collector:4318"], "networkPolicy.tracing is empty"),
        (["global.tracing.endpoint=http://collector:4318"], "networkPolicy.tracing is empty"),
        (["tracing.sampler=always_on"], "tracing.sampler=always_on has no meaning"),
        (["networkPolicy.enabled=false", f"{TRACED},tracing.sampler=traceidratio"], "tracing.samplerArg is empty"),
        (["networkPolicy.enabled=false", f"{TRACED},tracing.samplerArg=a"], "/tracing/samplerArg"),
        (["networkPolicy.enabled=false", f"{TRACED},tracing.sampler=all"], "/tracing/sampler"),
        (["tracing.endpoint=collector:4318"], "/tracing/endpoint"),
    ],
)
def test_values_that_contradict_each_other_are_refused(helm: Helm, values: list[str], named: str) -> None:
    assert named in refusal(helm, "user", *values)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["smtp.host=smtp.example.com"], "networkPolicy.smtp is empty"),
        (["smtp.user=a"], "smtp.password is empty"),
        (["smtp.password=a"], "smtp.user is empty"),
        (["smtp.user=a", "smtp.password=b"], "smtp.tls=off would send smtp.password in the clear"),
        (["smtp.caSecret=a"], "smtp.caSecret has no meaning"),
        (["smtp.tls=ssl"], "at '/smtp/tls'"),
    ],
)
def test_mail_settings_that_contradict_each_other_are_refused(helm: Helm, values: list[str], named: str) -> None:
    assert named in refusal(helm, "notification", *values)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("kafka.enabled=false", "global.kafka.bootstrapServers is empty"),
        ("postgres.enabled=false", "global.database.host"),
        ("mail.enabled=false", "notification.smtp.host is empty"),
        (
            "mail.enabled=false,notification.smtp.host=smtp.example.com,global.networkPolicy.enabled=false",
            "observability.alertmanager.email.smarthost is empty",
        ),
        ("observability.grafana.password=x", "'password'"),
        ("users.replicas=2", "'users'"),
        ("user.replica=2", "'replica'"),
        ("global.kafka.replicas=2", "/global/kafka/replicas"),
    ],
)
def test_the_whole_refuses_what_one_chart_cannot_see(helm: Helm, value: str, named: str) -> None:
    assert named in refusal(helm, "eventline", value)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["loki.enabled=true"], "'loki'"),
        (["prometheus.retention=2"], "/prometheus/retention"),
        (["prometheus.service.type=LoadBalancer"], "/prometheus/service/type"),
        (["grafana.service.nodePort=3000"], "/grafana/service/nodePort"),
        (["grafana.externalUrl=grafana.example.com"], "/grafana/externalUrl"),
        (["alertmanager.email.to=nobody"], "/alertmanager/email/to"),
        (["alertmanager.email.smarthost=smtp.example.com"], "/alertmanager/email/smarthost"),
        (["prometheusRule.enabled=true"], "/prometheusRule/enabled"),
        (["dashboards.labels.wall=1"], "/dashboards/labels/wall"),
        (["alertmanager.email.smarthost=smtp.example.com:25"], "networkPolicy.receivers is empty"),
        (["alertmanager.email.username=a"], "alertmanager.email.existingSecret is empty"),
        (["alertmanager.email.existingSecret=a"], "alertmanager.email.username is empty"),
        (
            ["alertmanager.email.username=a", "alertmanager.email.existingSecret=b"],
            "a password is not sent in the clear",
        ),
        (
            ["alertmanager.config.route.receiver=a", "alertmanager.existingSecret=b"],
            "alertmanager.config and alertmanager.existingSecret",
        ),
        (["prometheus.enabled=false"], "grafana.prometheusUrl is empty"),
        (["grafana.prometheusUrl=http://prometheus:9090"], "networkPolicy.prometheus is empty"),
        (["dashboards.enabled=false"], "dashboards.enabled=false with grafana.enabled=true"),
    ],
)
def test_values_of_those_who_watch_that_cannot_work_are_refused(helm: Helm, values: list[str], named: str) -> None:
    assert named in refusal(helm, "observability", *values)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ([], "without global.kafka.tls=true"),
        (["global.kafka.tls=true"], "without global.kafka.caSecret"),
    ],
)
def test_a_certificate_of_the_broker_that_its_clients_would_not_accept_is_refused(
    helm: Helm, values: list[str], named: str
) -> None:
    assert f"kafka.tls.existingSecret {named}" in refusal(helm, "eventline", "kafka.tls.existingSecret=own", *values)


def refusal(helm: Helm, chart: str, *values: str, release: str = "eventline") -> str:
    """Return why a chart with these values is refused. Fails the test when it is not."""
    done = helm.template(chart, *(word for value in values for word in ("--set", value)), release=release)
    assert done.returncode != 0, f"{chart} takes {values}"
    return done.stderr
