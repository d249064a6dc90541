import pytest

from services.chassis.http.settings import HttpSettings
from services.chassis.settings.environment import SettingsError, load

JWT = {
    "APP_AUTH": "jwt",
    "APP_AUTH_JWKS_FILE": "/etc/eventline/jwks.json",
    "APP_AUTH_ISSUER": "https://issuer.example.org",
    "APP_AUTH_AUDIENCE": "eventline",
}


def problems(**changed: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(HttpSettings, {name: value for name, value in (JWT | changed).items() if value}, serving=True)
    return str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_no_authentication_is_allowed_on_loopback(host: str) -> None:
    assert not load(HttpSettings, {"APP_HTTP_HOST": host}, serving=True).exposed


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "a.org"])  # noqa: S104
def test_no_authentication_elsewhere_needs_a_setting_of_its_own(address: str) -> None:
    host = {"APP_HTTP_HOST": address} if address else {}
    with pytest.raises(SettingsError, match="APP_AUTH_UNPROTECTED=yes"):
        load(HttpSettings, host, serving=True)
    assert load(HttpSettings, host | {"APP_AUTH_UNPROTECTED": "yes"}, serving=True).exposed


def test_commands_that_do_not_serve_need_no_authentication() -> None:
    assert load(HttpSettings, {}).exposed


def test_tokens_need_keys_issuer_and_audience() -> None:
    assert load(HttpSettings, JWT, serving=True).authenticates
    assert "APP_AUTH_ISSUER is missing" in problems(APP_AUTH_ISSUER="")
    assert "APP_AUTH_AUDIENCE is missing" in problems(APP_AUTH_AUDIENCE="")
    assert "either APP_AUTH_JWKS_FILE or APP_AUTH_JWKS_URL" in problems(APP_AUTH_JWKS_FILE="")
    assert "either APP_AUTH_JWKS_FILE or APP_AUTH_JWKS_URL" in problems(APP_AUTH_JWKS_URL="https://a.org/jwks.json")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.org/x",
        "a.org/jwks.json",
        "https://",
        "https://a.org:99999/",
        "http://[::1/",
        "https://a.org/a b",
        "https://a.org/\xfc",
        "https://a..org/",
        "https://ada:secret-word@a.org:99999/",
    ],
)
def test_a_key_set_url_is_checked(url: str) -> None:
    refusal = problems(APP_AUTH_JWKS_FILE="", APP_AUTH_JWKS_URL=url)
    assert "APP_AUTH_JWKS_URL is not a URL" in refusal
    assert "secret-word" not in refusal


def test_a_key_set_url_has_no_password() -> None:
    refusal = problems(APP_AUTH_JWKS_FILE="", APP_AUTH_JWKS_URL="https://ada:secret-word@a.org/")
    assert "has a user or a password" in refusal
    assert "secret-word" not in refusal


def test_a_key_set_is_read_without_tls_on_loopback_alone() -> None:
    assert "write https://" in problems(APP_AUTH_JWKS_FILE="", APP_AUTH_JWKS_URL="http://issuer.a.org/jwks.json")
    local = JWT | {"APP_AUTH_JWKS_URL": "http://127.0.0.1:1/jwks.json"}
    del local["APP_AUTH_JWKS_FILE"]
    assert load(HttpSettings, local).authenticates


def test_a_leeway_is_bounded() -> None:
    assert "APP_AUTH_LEEWAY" in problems(APP_AUTH_LEEWAY="6m")


def test_settings_without_effect_are_refused() -> None:
    assert "would be ignored with APP_AUTH=none" in problems(APP_AUTH="none", APP_HTTP_HOST="127.0.0.1")
    assert "contradicts" in problems(APP_AUTH_UNPROTECTED="yes")
    assert "APP_AUTH" in problems(APP_AUTH="off")
