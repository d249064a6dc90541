"""The expiry of a broker's certificate, read from brokers with TLS."""

from dataclasses import replace

import pytest
from cryptography.x509 import load_pem_x509_certificate

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import load
from services.console.metrics import CERTIFICATE_EXPIRY
from services.console.probe.certificate_watch import CertificateWatch
from tests.support.builders import a_telemetry
from tests.support.certificates import CERTIFICATES, Files
from tests.support.secure_broker import SecureBroker


def seen(settings: dict[str, str], address: str) -> float | None:
    """Return the metric of a server after one look."""
    telemetry = a_telemetry()
    CertificateWatch(load(KafkaSettings, settings), telemetry).check()
    return telemetry.metrics.registry.get_sample_value(CERTIFICATE_EXPIRY.name, {"server_address": address})


def expected(listener: str) -> float:
    """Return when the certificate of a listener expires, read from its PEM."""
    return load_pem_x509_certificate(CERTIFICATES[listener].cert_chain_pems[0].bytes()).not_valid_after_utc.timestamp()


def test_the_expiry_of_a_brokers_certificate_is_a_metric(secure_broker: SecureBroker, files: Files) -> None:
    settings = secure_broker.settings("right", files)
    assert seen(settings, secure_broker.address("right")) == expected("right")


@pytest.mark.parametrize("listener", ["wrong CA", "expired", "wrong host name"])
def test_a_refused_certificate_has_no_series(secure_broker: SecureBroker, files: Files, listener: str) -> None:
    assert seen(secure_broker.settings(listener, files), secure_broker.address(listener)) is None


def test_without_tls_and_without_an_answer_there_is_no_series(files: Files) -> None:
    plain = {"APP_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    encrypted = plain | {"APP_KAFKA_SECURITY_PROTOCOL": "ssl", "APP_KAFKA_CA_FILE": files.authority}
    assert seen(plain, "127.0.0.1:1") is None
    assert seen(encrypted, "127.0.0.1:1") is None


def test_a_server_without_a_port_is_asked_at_kafkas_and_an_unreadable_file_ends_nothing(files: Files) -> None:
    encrypted = {"APP_KAFKA_BOOTSTRAP_SERVERS": "localhost", "APP_KAFKA_SECURITY_PROTOCOL": "ssl"}
    settings = load(KafkaSettings, encrypted | {"APP_KAFKA_CA_FILE": files.authority})
    assert settings.addresses() == [("localhost", 9092)]
    CertificateWatch(settings, a_telemetry()).check()
    CertificateWatch(replace(settings, kafka_ca_file="gone.pem"), a_telemetry()).check()
