from services.chassis.http.auth.caller import ANYBODY, ROLES, Caller, caller_of, set_caller


def test_without_authentication_the_subject_is_empty_and_every_role_is_given() -> None:
    caller = caller_of({"type": "http"})
    assert caller == ANYBODY
    assert (caller.subject, caller.roles) == ("", frozenset(ROLES))


def test_a_request_has_the_caller_that_was_noted() -> None:
    scope: dict[str, object] = {"type": "http"}
    set_caller(scope, Caller("ada", frozenset({"read"})))
    assert caller_of(scope) == Caller("ada", frozenset({"read"}))
