"""The rebuild's comparison shows differences without personal data."""

import msgspec
from sqlalchemy import create_engine, insert

from services.contracts.user import Personal, Preferences, Status, UserState
from services.user.rebuild import differences, kept
from services.user.store import users

ADA = UserState("u1", 2, Status.ACTIVE, Personal("ada", "ada@example.org", "Ada", "en"), Preferences(email=True))
WRITTEN_BEFORE_A_FIELD = (
    '{"user_id":"u1","version":2,"status":"active",'
    '"personal":{"login":"ada","email":"ada@example.org","full_name":"Ada","locale":"en"},"preferences":{"email":true}}'
)


def test_equal_states_do_not_differ() -> None:
    assert differences({"u1": ADA}, {"u1": ADA}) == []


def test_a_row_written_before_an_optional_field_equals_the_state_with_its_default() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        users.create(connection)
        row = {"user_id": "u1", "version": 2, "status": "active", "state": WRITTEN_BEFORE_A_FIELD}
        connection.execute(insert(users).values(row))
        assert differences(kept(connection), {"u1": ADA}) == []
    engine.dispose()


def test_a_missing_or_different_user_is_named_by_version_and_fields_only() -> None:
    personal = msgspec.structs.replace(ADA.personal, email="countess@example.org")
    older = msgspec.structs.replace(ADA, version=1, personal=personal)
    [missing] = differences({"u1": ADA}, {})
    [other] = differences({"u1": ADA}, {"u1": older})
    assert missing == "user u1: the service has version 2 (active), the log gives nothing"
    assert other == (
        "user u1: the service has version 2 (active), the log gives version 1 (active); "
        "different: version, personal.email"
    )
    assert "ada" not in missing + other
    assert "countess" not in other
