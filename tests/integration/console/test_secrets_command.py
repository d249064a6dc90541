"""`console secrets`: passwords are generated once, an older Secret's are taken over, nothing is overwritten."""

import re

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from typer.testing import Result

from services.console.__main__ import app
from tests.support.api_server import ApiServer
from tests.support.in_process import invoke

WANTED = ("eventline-postgres:password", "eventline-grafana-admin:admin-user=admin,admin-password")
OLD = ("--copy-from", "eventline-grafana-admin=eventline-grafana", "--release", "eventline")


def create(server: ApiServer, *argv: str) -> Result:
    return invoke(app, "secrets", *argv, "--server", server.url, "--account", str(server.account))


def test_missing_secrets_get_different_random_passwords_and_given_values(api_server: ApiServer) -> None:
    assert create(api_server, *WANTED).output == "eventline-postgres: created\neventline-grafana-admin: created\n"
    grafana = api_server.data("eventline-grafana-admin")
    passwords = [api_server.data("eventline-postgres")["password"], grafana["admin-password"]]
    assert grafana["admin-user"] == "admin"
    assert len(set(passwords)) == 2
    for password in passwords:
        assert re.fullmatch("[A-Za-z0-9]{24}", password)


def test_a_secret_that_exists_is_never_changed(api_server: ApiServer) -> None:
    create(api_server, *WANTED)
    before = dict(api_server.secrets)
    done = create(api_server, *WANTED, *OLD)
    assert done.output == "eventline-postgres: unchanged\neventline-grafana-admin: unchanged\n"
    assert api_server.secrets == before


def test_the_password_of_an_older_name_is_kept(api_server: ApiServer) -> None:
    api_server.add("eventline-grafana", **{"admin-user": "admin", "admin-password": "of before"})
    assert "eventline-grafana-admin: created from eventline-grafana" in create(api_server, *WANTED, *OLD).output
    assert api_server.data("eventline-grafana-admin") == api_server.data("eventline-grafana")


def test_helm_may_take_the_secrets_over_and_keeps_them(api_server: ApiServer) -> None:
    create(api_server, *WANTED, *OLD)
    metadata = api_server.secrets["eventline-postgres"]["metadata"]
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert metadata["annotations"] == {
        "meta.helm.sh/release-name": "eventline",
        "meta.helm.sh/release-namespace": "events",
        "helm.sh/resource-policy": "keep",
    }


def test_a_token_issuer_has_a_key_that_its_key_set_verifies(api_server: ApiServer) -> None:
    create(api_server, "eventline-token-issuer:issuer.jwk,jwks.json")
    made = api_server.data("eventline-token-issuer")
    token = jwt.encode({"sub": "a"}, jwt.PyJWK.from_json(made["issuer.jwk"]).key, "EdDSA")
    (public,) = jwt.PyJWKSet.from_json(made["jwks.json"]).keys
    assert jwt.decode(token, public, ["EdDSA"]) == {"sub": "a"}
    assert '"d"' not in made["jwks.json"]


def test_a_certificate_is_for_the_named_hosts_and_its_authority_signed_it(api_server: ApiServer) -> None:
    create(api_server, "eventline-kafka-tls:keystore.pem,ca.crt,hosts=kafka;*.kafka-nodes")
    made = api_server.data("eventline-kafka-tls")
    load_pem_private_key(made["keystore.pem"].encode(), None)
    authority = x509.load_pem_x509_certificate(made["ca.crt"].encode())
    server = x509.load_pem_x509_certificate(made["keystore.pem"].encode())
    server.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kafka", "*.kafka-nodes"]


def test_each_authority_has_a_name_of_its_own_so_that_a_client_can_trust_two(api_server: ApiServer) -> None:
    for name in ("first", "second"):
        create(api_server, f"{name}:keystore.pem,ca.crt,hosts=kafka")
    made = [x509.load_pem_x509_certificate(api_server.data(name)["ca.crt"].encode()) for name in ("first", "second")]
    assert made[0].subject != made[1].subject  # OpenSSL takes the first with the issuer's name, and refuses


def test_a_secret_that_lacks_a_key_is_named_and_left_alone(api_server: ApiServer) -> None:
    api_server.add("eventline-postgres", user="a")
    done = create(api_server, *WANTED)
    assert done.exit_code == 2
    assert "the Secret eventline-postgres exists without password: add what is missing" in done.output
    assert list(api_server.secrets) == ["eventline-postgres"]


@pytest.mark.parametrize("wanted", ["eventline", "Event:password", "a:", "a:b c", "a:b,,c"])
def test_an_argument_that_names_no_secret_is_refused(wanted: str, api_server: ApiServer) -> None:
    assert create(api_server, wanted).exit_code == 2
    assert api_server.secrets == {}


def test_an_account_without_the_right_is_reported(api_server: ApiServer) -> None:
    api_server.may_create = False
    done = create(api_server, *WANTED)
    assert (done.exit_code, "403" in done.output, api_server.secrets) == (2, True, {})
