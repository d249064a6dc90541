"""The rebuild's comparison shows differences without personal data."""

from services.user.rebuild import differences

ADA = (
    '{"user_id":"u1","version":2,"status":"active",'
    '"personal":{"login":"ada","email":"ada@example.org","full_name":"Ada","locale":"en"},"preferences":{"email":true}}'
)


def test_equal_tables_do_not_differ() -> None:
    assert differences({"u1": ADA}, {"u1": ADA}) == []


def test_a_missing_or_different_user_is_named_by_version_only() -> None:
    older = ADA.replace('"version":2', '"version":1')
    [missing] = differences({"u1": ADA}, {})
    [other] = differences({"u1": ADA}, {"u1": older})
    assert missing == "user u1: the service has version 2 (active), the log gives nothing"
    assert other == "user u1: the service has version 2 (active), the log gives version 1 (active)"
    assert "ada" not in missing + other
