"""Drain: a client with a keep-alive connection, and a service that stops."""

import http.client
from pathlib import Path

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.system import System, service
from services.workbench.polling import until

PATIENCE_S = 30.0


def test_a_stopping_service_still_answers_and_closes_keep_alive_connections(tmp_path: Path) -> None:
    port, metrics, nobody = free_ports(3)
    environment = {
        "APP_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{nobody}",
        "APP_DATABASE_URL": f"sqlite:///{tmp_path}/user.db",
        "APP_HTTP_HOST": HOST,
        "APP_HTTP_PORT": str(port),
        "APP_METRICS_PORT": str(metrics),
        "APP_DRAIN_DELAY": "3s",
        "APP_KAFKA_REQUEST_TIMEOUT": "2s",  # a stop waits for a request that is under way
    }
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)
    with System([service("user", environment, tmp_path)]) as system:
        system.start("user")
        system.wait_ready(PATIENCE_S, "user")
        assert closes(connection) is None
        system.process("user").ask_to_stop()
        assert until("a Connection header", lambda: closes(connection), seconds=PATIENCE_S) == "close"
        assert closes(connection) == "close", "a new connection is served as well"
        connection.close()
        assert system.process("user").wait_end(PATIENCE_S) == 0


def closes(connection: http.client.HTTPConnection) -> str | None:
    """Request `/users` and return the response's Connection header."""
    connection.request("GET", "/users")
    response = connection.getresponse()
    response.read()
    assert response.status == http.client.OK
    return response.getheader("Connection")
