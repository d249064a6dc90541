"""Requirements of GitOps tools: rendering depends on values alone, and a second `kubectl apply` changes nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from k8s.charts.settings import CHARTS
from tests.charts.helm import Helm, Resource, given
from tests.charts.pods import Pod, pods

pytestmark = pytest.mark.charts
with_values = pytest.mark.parametrize(
    ("chart", "values"), [pytest.param(chart, path, id=f"{chart}-{path.stem}") for chart, path in given()]
)
# Functions and objects that give another result at each rendering, or in each cluster.
FORBIDDEN = re.compile(
    r"\b(lookup|rand(Alpha|AlphaNum|Ascii|Numeric|Bytes|Int)|uuidv4|gen(CA|SelfSignedCert|SignedCert|PrivateKey)\w*"
    r"|derivePassword|htpasswd|bcrypt|encryptAES|shuffle|now|ago|date(InZone)?|getHostByName"
    r"|Release\.(Revision|IsInstall|IsUpgrade))\b"
)
LARGEST = 256 * 1024  # of the annotations of an object
ACTION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)


def forbidden(text: str) -> list[str]:
    """Return the forbidden names in the actions of a template."""
    actions = ACTION.findall(COMMENT.sub("", text))
    return [found[0] for action in actions for found in FORBIDDEN.finditer(re.sub(r'"[^"]*"', '""', action))]


def created(resources: list[Resource]) -> list[str]:
    """Return the names of the Secrets that Jobs create."""
    jobs = [pod.containers[0]["args"] for pod in pods(resources) if pod.name.startswith("Job/")]
    named = [[one.partition(":")[0] for one in args if ":" in one] for args in jobs if args[0] == "secrets"]
    keys = [args[2:4] for args in jobs if args[0] == "keys"]
    return [name for names in named + keys for name in names]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(CHARTS.glob("*/templates/**/*")) if path.is_file()],
    ids=lambda path: str(path.relative_to(CHARTS)),
)
def test_a_template_depends_on_values_alone(path: Path) -> None:
    assert forbidden(path.read_text()) == []


@pytest.mark.parametrize(
    "action",
    ["{{ randAlphaNum 24 | b64enc }}", '{{ with lookup "v1" "Secret" "a" "b" }}', "{{ printf .Release.Revision }}"],
)
def test_a_template_with_a_random_value_is_found(action: str) -> None:
    assert len(forbidden(f"a: {action}")) == 1
    assert forbidden(f"now: {{{{/* {action.strip('{} ')} */}}}}") == []


@with_values
def test_a_network_policy_has_no_field_that_the_api_server_would_complete(helm: Helm, chart: str, values: Path) -> None:
    """Else each `kubectl apply` finds a difference."""
    for resource in helm.resources(chart, "--values", values):
        if resource["kind"] == "NetworkPolicy":
            name = resource["metadata"]["name"]
            assert list(_incomplete(resource["spec"])) == [], name


@with_values
def test_every_password_of_a_pod_exists_or_iscreated(helm: Helm, chart: str, values: Path) -> None:
    """A Secret that only a person can create is named by a value."""
    resources = helm.resources(chart, "--values", values)
    rendered = {one["metadata"]["name"] for one in resources if one["kind"] == "Secret"}
    made = set(created(resources))
    given = values.read_text()
    for pod in pods(resources):
        for name in _secrets(pod) - rendered - made:
            assert name in given or chart != "eventline", f"{pod.name} waits for the Secret {name} for ever"


@pytest.mark.parametrize("chart", ["eventline", "postgres", "observability"])
def test_the_job_may_read_the_secrets_that_it_creates_or_copies_and_create_some(helm: Helm, chart: str) -> None:
    resources = helm.resources(chart)
    for role in (one for one in resources if one["kind"] == "Role" and "prometheus" not in one["metadata"]["name"]):
        read, create = role["rules"]
        assert (read["verbs"], create["verbs"]) == (["get"], ["create"])
        assert set(read["resourceNames"]) <= {*created(resources), "eventline-grafana"}


def test_every_manifest_fits_the_annotation_in_which_kubectl_keeps_it(helm: Helm) -> None:
    sizes = {one["metadata"]["name"]: len(msgspec.json.encode(one)) for one in helm.resources("eventline")}
    assert max(sizes.values()) < LARGEST * 0.75, max(sizes, key=lambda name: sizes[name])


@pytest.mark.parametrize("value", ["superuser.password=a", "databases.user.existingSecret=a"])
def test_a_password_that_a_value_gives_is_not_generated(helm: Helm, value: str) -> None:
    before, after = (created(helm.resources("postgres", *of)) for of in ((), ("--set", value)))
    assert len(before) - len(after) == 1


def _secrets(pod: Pod) -> set[str]:
    volumes = {one["secret"]["secretName"] for one in pod.spec.get("volumes", []) if "secret" in one}
    variables = [one["valueFrom"] for each in pod.containers for one in each.get("env", []) if "valueFrom" in one]
    return volumes | {one["secretKeyRef"]["name"] for one in variables if "secretKeyRef" in one}


def _incomplete(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        if not part:
            yield "an empty list"
        for one in part:
            yield from _incomplete(one)
    elif isinstance(part, dict):
        yield from (f"a port without protocol: {one}" for one in part.get("ports", []) if "protocol" not in one)
        for one in part.values():
            yield from _incomplete(one)
