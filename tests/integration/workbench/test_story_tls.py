"""The story register → mail → audit with TLS and logins everywhere: Kafka, PostgreSQL and the mail server."""

import json
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import load
from services.contracts.catalog import TOPICS, USER_EVENTS, USER_NOTICES, USER_STATE
from services.contracts.service_list import SERVICES
from services.workbench.local.system import System, service
from tests.support.certificates import CERTIFICATES, Files
from tests.support.mail_servers import MailServer
from tests.support.readiness import ask, await_seen, environment
from tests.support.secure_broker import running
from tests.support.secure_postgres import SecurePostgres
from tests.support.user_client import ADA

READY_S = 120.0
LOGIN = ("mailer", "mail password")


def mail_server() -> MailServer:
    """Return a mail server with TLS from the first byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATES["right"].configure_cert(context)
    return MailServer(certificate=context, tls_first=True, login=LOGIN)


def mail_settings(port: int, files: Files) -> dict[str, str]:
    """Return the notification service's settings of a mail server."""
    variables = {"HOST": "localhost", "PORT": str(port), "TLS": "tls", "CA_FILE": files.authority}
    variables |= {"USER": LOGIN[0], "PASSWORD": LOGIN[1]}
    return {f"APP_SMTP_{name}": value for name, value in variables.items()}


@pytest.mark.long
def test_register_mail_audit_over_tls(secure_postgres: SecurePostgres, files: Files, tmp_path: Path) -> None:
    with ExitStack() as stack:
        # A broker of its own: to a log that another test has written, a fresh store would publish nothing.
        variables = stack.enter_context(running(tmp_path)).settings("right", files)
        KafkaAdmin(load(KafkaSettings, variables), "test").ensure(TOPICS)
        mails = stack.enter_context(mail_server())
        settings = {
            name: environment(name, **variables, **secure_postgres.settings(files.authority)) for name in SERVICES
        }
        settings["notification"] |= mail_settings(mails.port, files)
        system = stack.enter_context(System([service(name, settings[name], tmp_path) for name in SERVICES]))
        system.start(*SERVICES)
        system.wait_ready(READY_S, *SERVICES)
        port = {name: int(settings[name]["APP_HTTP_PORT"]) for name in SERVICES}
        status, body = ask(port["user"], "/users", ADA | {"preferences": {"email": True}})
        assert status == 201, body
        user_id = json.loads(body)["user_id"]
        await_seen(lambda: (len(mails.mails), str(mails.steps)), lambda seen: seen[0] >= 1)
        assert mails.mails[0].rcpt_tos == [ADA["email"]]
        path = f"/audit/entries?subject={user_id}"
        wanted = {USER_EVENTS.name, USER_STATE.name, USER_NOTICES.name}
        seen = await_seen(lambda: ask(port["audit"], path), lambda seen: all(name in seen[1] for name in wanted))
        assert len({entry["correlation_id"] for entry in json.loads(seen)["items"]}) == 1
        assert system.stop(*SERVICES) == dict.fromkeys(SERVICES, 0)
