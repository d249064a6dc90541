"""The least rights: derived from the catalog, nothing that nobody needs, and prefixes of principals and groups."""

import pytest

from services.contracts.access import GROUP, PRINCIPALS, TOPIC, grants, kafka_name, operations, rights
from services.contracts.catalog import TOPICS
from services.contracts.service_list import SERVICES

FOUND = rights(grants())
ALL = [topic.name for topic in TOPICS]


def test_there_is_a_principal_for_each_process_and_each_has_rights() -> None:
    assert {"user", "notification", "audit", "lag-exporter", "topics", "operator"} <= set(PRINCIPALS)
    assert {right.user for right in FOUND} == set(PRINCIPALS)


def test_publishers_alone_may_write_and_the_administrator_alone_may_create() -> None:
    written = {(right.user, right.name) for right in FOUND if right.operation == "Write"}
    assert written == {(name, topic.name) for topic in TOPICS for name in topic.publishers}
    assert {right.user for right in FOUND if right.operation == "Create"} == {"topics"}
    assert {right.operation for right in FOUND} == {"Create", "Describe", "Read", "Write"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_its_topics_and_what_it_looks_up_as_a_member_of_its_own_group_alone(service: str) -> None:
    read = {name for name in ALL if "Read" in operations(FOUND, service, TOPIC, name)}
    consumed = {topic.name for topic in TOPICS if service in topic.readers}
    assert consumed <= read
    assert read - consumed <= {topic.name for topic in TOPICS if service in topic.publishers}
    assert {name for name in SERVICES if operations(FOUND, service, GROUP, name)} == {service}


def test_an_operation_includes_describe_and_a_prefix_the_names_that_begin_with_it() -> None:
    assert operations(FOUND, "user", GROUP, "user-rebuild-7") == {"Read", "Describe"}
    assert operations(FOUND, "user", GROUP, "user-rebuild") == frozenset()
    assert operations(FOUND, "topics", TOPIC, "user.events.v1") == {"Create", "Describe"}
    assert operations(FOUND, "notification", TOPIC, "user.events.v1") == frozenset()


def test_prefixes_of_principals_and_groups_are_parameters() -> None:
    assert (kafka_name("user"), kafka_name("user", "shop.")) == ("eventline-user", "shop.user")
    groups = {right.name for right in rights(grants("shop.")) if right.kind == GROUP}
    assert groups == {f"shop.{name}" for name in (*SERVICES, "user-rebuild-", "reader-")}
