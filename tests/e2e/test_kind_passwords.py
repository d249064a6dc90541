"""Each password of the chart's own Kafka is changed by the documented commands, under load, and nothing is lost.

On the release that `make deploy` left, with one node or three, for ten minutes:
`pytest -m "e2e and on_demand" tests/e2e/test_kind_passwords.py --target kind -o faulthandler_timeout=1800`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from k8s.command import CLUSTER
from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.console.logins import IN_KIND, reached
from services.console.settings import ConsoleSettings
from services.contracts.access import ADMINISTRATOR, LAG_EXPORTER
from services.contracts.service_list import SERVICES
from services.workbench.polling import until
from tests.e2e.load import losses, under_load
from tests.e2e.pods import kubeconfig
from tests.support.command_blocks import blocks_for, execute
from tests.support.stories.target import Target

pytestmark = pytest.mark.on_demand

PROCESSES = (*SERVICES, LAG_EXPORTER)
RATE, LASTS_S = 15.0, 540.0
ANSWER_S = 5.0


def test_every_password_is_changed_under_load_and_nothing_is_lost(target: Target, tmp_path: Path) -> None:
    place = {"KUBECONFIG": str(kubeconfig(CLUSTER, tmp_path))}
    of_a_process, of_the_administrator, of_the_nodes = blocks_for(__file__)
    before = clients(target)
    with under_load(target, LASTS_S, tmp_path, RATE) as load:
        for name in PROCESSES:
            run(of_a_process.text, place | {"PROCESS": name})
        run(of_the_administrator.text, place)
        until("the new administrator gets in", lambda: is_admitted(clients(target)[ADMINISTRATOR]))
        run(of_the_nodes.text, place)
        assert load.child.poll() is None, "the load ended before the changes"
        assert losses(load.outcome()) == [], load.output()
    after = clients(target)
    assert [name for name, settings in before.items() if is_admitted(settings)] == [], "an old password is taken"
    assert [name for name, settings in after.items() if not is_admitted(settings)] == []


def run(commands: str, variables: Mapping[str, str]) -> None:
    """Run documented commands to their end."""
    code, output = execute(commands, variables)
    assert code == 0, output


def clients(target: Target) -> dict[str, KafkaSettings]:
    """Return the settings of each login, with the password that its Secret has now."""
    servers = target.kafka.kafka_bootstrap_servers
    names = (*PROCESSES, ADMINISTRATOR)
    return {name: reached(ConsoleSettings(), IN_KIND, servers, os.environ, name) for name in names}


def is_admitted(settings: KafkaSettings) -> bool:
    """Return whether the broker takes a login."""
    try:
        KafkaAdmin(settings, "login").reach(ANSWER_S)
    except BrokerUnavailableError:
        return False
    return True
