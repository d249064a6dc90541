"""The compose file, as Docker understands it. Nothing is started here."""

from pathlib import Path
from typing import Any

import pytest

from services.contracts.access import PRINCIPALS
from services.contracts.service_list import SERVICES
from services.workbench.local.broker import properties

pytestmark = pytest.mark.images

PLACES = {"controller.quorum.voters", "listeners", "listener.security.protocol.map", "log.dirs"}
STEPS = {"logins", "topics", "connect-login", "token-keys", "audit-keys", "witness-keys"}  # which end

Compose = dict[str, Any]


def test_every_port_is_bound_to_this_machine_alone(compose: Compose) -> None:
    """And the database has none."""
    ports = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert {port["host_ip"] for given in ports.values() for port in given} == {"127.0.0.1"}
    assert ports["postgres"] == []


def test_no_container_can_write_its_root_or_gain_rights(compose: Compose) -> None:
    """Each has a bound on its memory too."""
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0, name
        assert not service.get("privileged"), name


def test_two_services_share_no_network(compose: Compose) -> None:
    """They can meet on topics only."""
    networks = [network for name in SERVICES for network in compose["services"][name]["networks"]]
    assert len(networks) == len(set(networks)) == len([*SERVICES, "witness"])


def test_the_witness_meets_the_audit_service_and_prometheus_alone(compose: Compose) -> None:
    """It has neither the broker nor the server of databases, and its key is on a volume that nothing else has."""
    assert set(compose["services"]["witness"]["networks"]) == {"witness"}
    beside = {name for name, service in compose["services"].items() if "witness" in service.get("networks", {})}
    assert beside == {"witness", "audit", "prometheus"}
    services = compose["services"].items()
    sources = {name: {volume["source"] for volume in service.get("volumes", [])} for name, service in services}
    for owner in ("witness", "audit"):
        keys = f"{owner}-keys"
        assert {name for name, volumes in sources.items() if keys in volumes} == {owner, keys}


def test_each_service_is_given_its_own_database_alone(compose: Compose) -> None:
    """The role and the database have the service's name."""
    for name in SERVICES:
        url = compose["services"][name]["environment"]["APP_DATABASE_URL"]
        assert url == f"postgresql+psycopg://{name}@postgres:5432/{name}"


def test_everything_that_stays_up_reports_whether_it_is_healthy(compose: Compose) -> None:
    """Mailpit's image brings its own check."""
    silent = {name for name, service in compose["services"].items() if "healthcheck" not in service}
    assert silent == {"mail", *STEPS}


def test_each_process_logs_in_to_the_broker_as_itself(compose: Compose) -> None:
    """The administrator alone makes the logins, and nothing else sees their passwords."""
    services = compose["services"]
    logins = {
        name: one["environment"].get("APP_KAFKA_USER") for name, one in services.items() if one.get("environment")
    }
    own = {name: f"eventline-{name}" for name in (*SERVICES, "topics")}
    assert {name: login for name, login in logins.items() if login} == {
        **own,
        "probe": "eventline-lag-exporter",
        "connect": "connect",
    }
    holders = {
        name
        for name, one in services.items()
        if any(volume["source"] == "kafka-logins" for volume in one.get("volumes", []))
    }
    assert holders == {"logins", "topics"}
    given = {name.removeprefix("LOGIN_") for name in services["logins"]["environment"] if name.startswith("LOGIN_")}
    assert given == {name.upper().replace("-", "_") for name in PRINCIPALS}


def test_every_api_asks_for_tokens_and_only_the_issuer_has_the_private_key(compose: Compose) -> None:
    services = compose["services"]
    assert {services[name]["environment"]["APP_AUTH"] for name in (*SERVICES, "witness")} == {"jwt"}
    volumes = {name: {volume["source"] for volume in one.get("volumes", [])} for name, one in services.items()}
    assert {name for name, sources in volumes.items() if "token-keys" in sources} == {"token-keys"}


def test_the_broker_lets_nobody_in_without_a_login(compose: Compose) -> None:
    given = compose["services"]["kafka"]["environment"]["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]
    assert {one.partition(":")[2] for one in given.split(",")} == {"SASL_PLAINTEXT"}


def test_the_broker_is_configured_as_the_local_one(compose: Compose) -> None:
    """Addresses and folders apart."""
    given = compose["services"]["kafka"]["environment"]
    local = properties(1, 2, Path("/data"))
    configured = {name: given.get("KAFKA_" + name.replace(".", "_").upper()) for name in local.keys() - PLACES}
    assert configured == {name: local[name] for name in local.keys() - PLACES}
