"""Settings of a service process with its own ports, and HTTP requests that report a missing answer as status 0."""

import http.client
import json
from collections.abc import Callable

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.polling import until

DEADLINE_S = 60.0
Answer = tuple[int, str]


def ask(port: int, path: str, body: object = None, timeout_s: float = 10) -> Answer:
    """Return status and body of an HTTP request, 0 and what was seen where there is no answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request("POST" if sent else "GET", path, sent, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError as error:
        return 0, repr(error)
    finally:
        connection.close()


def await_seen(look: Callable[[], Answer], is_wanted: Callable[[Answer], bool]) -> str:
    """Poll until what is seen is as wanted, and return its text."""
    return until("the answer", look, is_wanted, DEADLINE_S)[1]


def environment(name: str, **settings: str) -> dict[str, str]:
    """Return a service's settings, with ports of its own."""
    port, metrics = free_ports(2)
    ports = {"APP_HTTP_HOST": HOST, "APP_HTTP_PORT": str(port), "APP_METRICS_PORT": str(metrics)}
    return ports | ({"APP_SMTP_HOST": HOST} if name == "notification" else {}) | settings
