"""Monitoring in the cluster: Grafana shows dashboards, Prometheus evaluates rules, Alertmanager sends mail."""

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.contracts.service_list import JOBS
from services.workbench.polling import until
from tests.e2e.kind_target import address
from tests.support.stories.mailboxes import Mailpit
from tests.support.stories.story import Story
from tests.support.stories.target import Target

FOLDER = Path(__file__).parents[2] / "charts" / "observability" / "files" / "grafana" / "dashboards"
DASHBOARDS = {json.loads(path.read_bytes())["uid"] for path in FOLDER.glob("*.json")}
PROXY = "/api/datasources/proxy/uid/prometheus/api/v1/query"  # what a panel asks
ALIVE_WITHIN_S = 60.0  # of the first request


def test_grafana_shows_every_dashboard_and_what_happens_now(story: Story) -> None:
    story.await_audit(story.register_user())
    until(
        "Grafana lists every dashboard",
        dashboards,
        lambda found: found >= DASHBOARDS,
        ALIVE_WITHIN_S,
        passing=httpx.HTTPError,
    )
    assert len(DASHBOARDS) == 6  # five, and the runbooks as a page
    query = 'sum by (job) (increase(messaging_client_consumed_messages_total{namespace="eventline"}[1m])) > 0'
    consumers = {"audit", "notification"}
    until(
        "panels show who consumed",
        lambda: series(query),
        lambda found: found >= consumers,
        ALIVE_WITHIN_S,
        passing=httpx.HTTPError,
    )


def test_prometheus_reads_every_service_and_the_lag_probe_under_their_names(target: Target) -> None:
    assert target.parts
    until(
        "all targets are up",
        lambda: series('up{namespace="eventline"} == 1'),
        {*JOBS}.__eq__,
        passing=httpx.HTTPError,
    )


def test_prometheus_looks_at_the_rules_and_tells_alertmanager(target: Target) -> None:
    assert target.parts
    groups = ask("prometheus", "/api/v1/rules")["data"]["groups"]
    unwell = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    assert groups
    assert unwell == []
    (manager,) = ask("prometheus", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    assert manager["url"] == "http://eventline-alertmanager:9093/api/v2/alerts"


def test_an_alert_that_fires_and_clears_is_notified_by_mail(target: Target) -> None:
    assert isinstance(target, Mailpit)
    labels = {"alertname": f"Tried{uuid.uuid4().hex[:8]}", "severity": "page", "job": "e2e", "namespace": "eventline"}
    tell(labels)
    subject = f"[firing] {labels['alertname']} e2e (page)"
    target.await_alert(subject)
    tell(labels, endsAt="2020-01-01T00:00:00Z")
    target.await_alert(subject.replace("firing", "resolved"), 150.0)


@pytest.mark.parametrize("part", ["grafana", "prometheus", "alertmanager"])
def test_people_reach_each_of_them_at_the_printed_address(target: Target, part: str) -> None:
    assert target.parts
    until(
        f"{part} answers",
        lambda: httpx.get(f"http://{address(part)}/", timeout=10).status_code < 500,
        passing=httpx.HTTPError,
    )


def dashboards() -> set[str]:
    """Return the uids that Grafana lists to a person without a login."""
    return {found["uid"] for found in ask("grafana", "/api/search", type="dash-db")}


def series(query: str) -> set[str]:
    """Return the jobs that a query of Grafana's finds."""
    return {found["metric"]["job"] for found in ask("grafana", PROXY, query=query)["data"]["result"]}


def ask(part: str, path: str, **parameters: str) -> Any:  # JSON
    """Return what a part answers."""
    return httpx.get(f"http://{address(part)}{path}", params=parameters, timeout=10).raise_for_status().json()


def tell(labels: dict[str, str], **times: str) -> None:
    """Give Alertmanager an alert as Prometheus does."""
    alert = {"labels": labels, "annotations": {"summary": "somebody tries"}, **times}
    httpx.post(f"http://{address('alertmanager')}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()
