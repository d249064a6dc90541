"""The broker of a release: its logins may do what the table of rights has and nothing else; without one nobody gets in.

Nothing is written: the broker is asked for the authorized operations of each login.
"""

from dataclasses import replace

import pytest

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.console.rights.table import Table
from services.contracts.access import ADMINISTRATOR, PRINCIPALS
from tests.support.rights_matrix import by_word
from tests.support.stories.target import Target

ANSWER_S = 5.0
WRONG = "not-this-password"  # nobody's


@pytest.fixture
def clients(target: Target) -> dict[str, KafkaSettings]:
    """The settings of each login."""
    clients = {name: target.login(name) for name in PRINCIPALS}
    if not any(settings.logs_in for settings in clients.values()):
        pytest.skip("a plain local system has no logins; SECURE=1 gives it some")
    return clients


def test_each_login_may_do_what_the_table_has_and_nothing_else(clients: dict[str, KafkaSettings]) -> None:
    assert [name for name, settings in clients.items() if not settings.logs_in] == []
    outcome = by_word(clients, Table(), super_users=[ADMINISTRATOR])
    assert outcome.wrong == []
    assert outcome.cells > 400


@pytest.mark.parametrize("outsider", ["plaintext", "an unknown user", "a wrong password"])
def test_nobody_gets_in_without_a_login(clients: dict[str, KafkaSettings], outsider: str) -> None:
    known = clients["user"]
    settings = {
        "plaintext": KafkaSettings(kafka_bootstrap_servers=known.kafka_bootstrap_servers),
        "an unknown user": replace(known, kafka_user="stranger"),
        "a wrong password": replace(known, kafka_password=WRONG),
    }[outsider]
    with pytest.raises(BrokerUnavailableError):
        KafkaAdmin(settings, "outsider").reach(ANSWER_S)
