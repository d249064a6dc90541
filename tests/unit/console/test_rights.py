"""The table of rights against what a broker has, and as resources of Strimzi."""

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own

from services.chassis.kafka import partition_reader
from services.chassis.kafka.access.acls import Acl
from services.console.failures import UsageError
from services.console.rights import strimzi
from services.console.rights.table import Table, difference, of_others, open_to_everybody, wrong_operations
from services.contracts import access
from services.contracts.access import PRINCIPALS

TABLE = Table("shop-", "shop.")
READ = Acl("User:shop-audit", "topic", "user.events.v1", "Read")
PATTERNS = {"literal": False, "prefix": True}


def test_resources_of_strimzi_are_the_table() -> None:
    users = list(yaml.safe_load_all(strimzi.resources(TABLE, "events")))
    assert [user["metadata"]["name"] for user in users] == [f"shop-{name}" for name in PRINCIPALS]
    assert {(user["kind"], user["metadata"]["labels"]["strimzi.io/cluster"]) for user in users} == {
        ("KafkaUser", "events")
    }
    assert [user["spec"]["authentication"] for user in users] == [{"type": "scram-sha-512"}] * len(users)
    rows = [
        Acl(f"User:{user['metadata']['name']}", of["type"], of["name"], operation, PATTERNS[of["patternType"]])
        for user in users
        for acl in user["spec"]["authorization"]["acls"]
        for of in [acl["resource"]]
        for operation in acl["operations"]
    ]
    assert (len(rows), frozenset(rows)) == (len(set(rows)), TABLE.rows())


@pytest.mark.parametrize("prefix", ["Shop-", "shop_", "-"])
def test_a_name_that_kubernetes_does_not_take_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match="cannot name a resource"):
        strimzi.resources(Table(prefix), "events")


def test_rows_from_one_host_alone_are_not_the_tables() -> None:
    elsewhere = READ._replace(host="10.0.0.1")
    found = difference(TABLE, [*(TABLE.rows() - {READ}), elsewhere, READ._replace(principal="User:reports")])
    assert found == (frozenset({READ}), frozenset({elsewhere}))


def test_a_right_of_everybody_counts_where_it_covers_a_name_of_ours() -> None:
    everybody = READ._replace(principal="User:*")
    covering = [
        everybody,
        everybody._replace(name="*"),
        everybody._replace(name="user.", prefixed=True),
        everybody._replace(kind="group", name="shop.audit"),
    ]
    others = [
        everybody._replace(name="reports.v1"),
        everybody._replace(name="user.events"),
        everybody._replace(kind="group", name="audit"),
        everybody._replace(allow=False),
    ]
    assert open_to_everybody(TABLE, [*covering, *others]) == sorted(covering)


def test_rights_of_others_to_change_our_topics_and_of_users_that_the_table_lacks_are_worth_a_note() -> None:
    other = READ._replace(principal="User:reports")
    noted = [
        other._replace(operation="Write"),
        other._replace(operation="All", name="*"),
        READ._replace(principal="User:shop-billing", name="billing.v1"),
    ]
    others = [other, other._replace(operation="Write", name="reports.v1"), *TABLE.rows()]
    assert of_others(TABLE, [*noted, *others]) == sorted(noted)


def test_the_administrator_may_do_more_and_others_may_not() -> None:
    everything = frozenset({"Create", "Delete", "Describe", "Read", "Write"})
    found = dict.fromkeys(TABLE.operations("topics"), everything)
    assert wrong_operations(TABLE, "topics", found) == []
    lines = wrong_operations(TABLE, "audit", found)
    assert "user shop-audit may Delete group shop.audit, which the table has not" in lines
    assert "user shop-audit may Create cluster kafka-cluster, which the table has not" in lines


def test_a_topic_that_is_not_there_is_named() -> None:
    found = TABLE.operations("audit")
    del found["topic", "operations.v1"]
    assert wrong_operations(TABLE, "audit", found) == ["there is no topic operations.v1"]


def test_readers_outside_a_group_are_named_as_their_right_is() -> None:
    assert partition_reader.READERS == access.READERS
