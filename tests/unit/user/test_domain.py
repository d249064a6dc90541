"""Users as pure functions: which facts a change leads to, what a user is afterwards, which texts are taken."""

from unicodedata import normalize

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.user import (
    ContactCleared,
    ContactFlagged,
    EmailChanged,
    Fact,
    NewAddress,
    Preferences,
    PreferencesChanged,
    Profile,
    ProfileChanged,
    Status,
    UserDeactivated,
    UserState,
)
from services.user import domain
from services.user.domain import Because, Changes, RefusedError
from services.user.text.unique_form import IGNORABLE
from tests.support.builders import a_person, a_user_registered

ADA = domain.evolve("u", None, a_user_registered())
GONE = domain.evolve("u", ADA, UserDeactivated())


def evolved(*facts: Fact) -> UserState:
    user = ADA
    for fact in facts:
        user = domain.evolve("u", user, fact)
    return user


def because(error: pytest.ExceptionInfo[RefusedError]) -> Because:
    return error.value.because


def test_a_registration_is_version_1_of_an_active_user() -> None:
    assert UserState("u", 1, Status.ACTIVE, a_person(), Preferences(), contact_flagged=False) == ADA


@pytest.mark.parametrize(
    ("fact", "different"),
    [
        (EmailChanged(NewAddress("a@b.org")), {"personal": a_person(email="a@b.org")}),
        (ProfileChanged(Profile("Ada King", "en-GB")), {"personal": a_person(full_name="Ada King", locale="en-GB")}),
        (PreferencesChanged(Preferences(email=False)), {"preferences": Preferences(email=False)}),
        (ContactFlagged("550"), {"contact_flagged": True}),
        (ContactCleared(), {"contact_flagged": False}),
        (UserDeactivated(), {"status": Status.DEACTIVATED}),
    ],
)
def test_each_fact_changes_its_part_and_the_version(fact: Fact, different: dict[str, object]) -> None:
    assert evolved(fact) == msgspec.structs.replace(ADA, version=2, **different)


def test_a_new_address_has_not_bounced_yet() -> None:
    user = evolved(ContactFlagged("550"), EmailChanged(NewAddress("a@b.org")))
    assert (user.contact_flagged, user.version) == (False, 3)


def test_a_flag_is_cleared_once_and_not_for_a_deactivated_user() -> None:
    flagged = evolved(ContactFlagged("550"))
    assert domain.unflag(flagged) == [ContactCleared()]
    assert not domain.evolve("u", flagged, ContactCleared()).contact_flagged
    assert domain.unflag(ADA) == []
    assert domain.unflag(domain.evolve("u", flagged, UserDeactivated())) == []


def test_only_a_registration_can_be_the_first_fact() -> None:
    with pytest.raises(ValueError, match="UserDeactivated cannot be the first fact of user u"):
        domain.evolve("u", None, UserDeactivated())


def test_a_change_of_everything_leads_to_a_fact_for_each_part() -> None:
    wanted = Changes(email="a@b.org", full_name="Ada King", locale="de", preferences=Preferences(email=False))
    assert domain.change(ADA, wanted) == [
        EmailChanged(NewAddress("a@b.org")),
        ProfileChanged(Profile("Ada King", "de")),
        PreferencesChanged(Preferences(email=False)),
    ]


def test_half_a_profile_is_filled_up_with_what_is_known() -> None:
    assert domain.change(ADA, Changes(locale="de")) == [ProfileChanged(Profile("Ada Lovelace", "de"))]


@pytest.mark.parametrize(
    "wanted",
    [
        Changes(),
        Changes(email="ada@example.org", full_name="Ada Lovelace", locale="en", preferences=Preferences(email=True)),
    ],
)
def test_what_is_so_already_leads_to_no_fact(wanted: Changes) -> None:
    assert domain.change(ADA, wanted) == []


def test_a_deactivated_user_cannot_be_changed() -> None:
    with pytest.raises(RefusedError) as caught:
        domain.change(GONE, Changes(locale="de"))
    assert because(caught) is Because.DEACTIVATED


def test_deactivating_twice_is_one_fact() -> None:
    assert domain.deactivate(ADA) == [UserDeactivated()]
    assert domain.deactivate(GONE) == []


def test_a_command_for_another_version_is_stale_one_for_any_is_not() -> None:
    domain.refuse_stale(ADA, frozenset({1, 2}))
    domain.refuse_stale(ADA, None)
    with pytest.raises(RefusedError, match="is at version 1, If-Match has 2") as caught:
        domain.refuse_stale(ADA, frozenset({2, 3}))
    assert because(caught) is Because.STALE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ADA", "ada"),
        ("ada", "ada"),
        ("Straße", "STRASSE"),
        ("é", "e\u0301"),
        ("Ⅳ", "iv"),
        ("ℌ", "h"),
        ("Å", "\u212b"),
        ("ﬁn", "FIN"),
        ("ΌΣΟΣ", "όσος"),
        ("ad\u200ba", "ada"),
        ("a\u00addа", "adа"),
        ("\ufeffada\u2060", "ada"),
        ("ad\u115fa\uffa0", "ada"),
        ("می\u200cخواهم", "میخواهم"),
    ],
)
def test_one_login_in_other_case_or_form_is_the_same_login(one: str, other: str) -> None:
    assert domain.key_of(one) == domain.key_of(other)


def test_different_logins_stay_different() -> None:
    assert len({domain.key_of(text) for text in ("ada", "adà", "ada1", "аda")}) == 4


@given(st.text())
def test_a_key_is_the_key_of_itself(text: str) -> None:
    assert domain.key_of(domain.key_of(text)) == domain.key_of(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cf"])))
def test_a_key_of_visible_characters_is_the_one_that_earlier_versions_made(text: str) -> None:
    text = IGNORABLE.sub("", text)
    assert domain.key_of(text) == normalize("NFKC", normalize("NFKC", text).casefold())


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace",
        "O'Brien-Łukasz",
        "李小龍",
        "أحمد",
        "👩‍🚀",
        "❤️‍🔥",
        "x" * 200,
        "क्षि",
        "می\u200cخواهم",
        "ක්\u200dෂ",
        "!",
    ],
)
def test_names_of_the_world_are_names(text: str) -> None:
    assert domain.valid_text("full_name", text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "x" * 201, "a\0b", "a\nb", "\x1b[31m", "\ud800", "Ada\u202eevaoL", "\u2066x\u2069", "a\x7fb"),
        *("\u200b", "\u2060\ufe0f", "\u3164", "\u2800", "\u0301", "a\u2028b", "a\ufff9b", "a\ue000", "\U0010fffd"),
        *("a\u0378", "\ufdd0", "a\u200db", "a\u200cb", "\u200da", "a\u200d", "क\u200d", "👩\u200c🚀"),
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=r"^full_name ") as caught:
        domain.valid_text("full_name", text)
    assert because(caught) is Because.INVALID
    str(caught.value).encode()


def test_names_are_kept_composed_and_without_spaces_around() -> None:
    assert domain.valid_text("full_name", "  Rene\u0301 ") == "René"


def test_a_login_or_address_that_grows_too_long_when_normalised_is_refused() -> None:
    assert domain.valid_text("full_name", "\ufdfa" * 200)
    for field, text in (("login", "\ufdfa" * 200), ("email", "\ufdfa" * 30 + "@example.org")):
        with pytest.raises(RefusedError, match=f"^{field} has more than 400") as caught:
            {"login": domain.valid_login, "email": domain.valid_email}[field](text)
        assert because(caught) is Because.INVALID


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Ada@Example.ORG", "Ada@example.org"),
        ("a+b@example.org", "a+b@example.org"),
        ("ada@bücher.example.org", "ada@bücher.example.org"),
    ],
)
def test_addresses_are_kept_in_one_spelling(text: str, kept: str) -> None:
    assert domain.valid_email(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@example.org",
        "ada@example",
        "a b@example.org",
        "ada@example.org\r\nBcc: x@y.org",
        "Ada <ada@example.org>",
        "a" * 65 + "@example.org",
        "ada@" + "x" * 250 + ".org",
        "a\0@example.org",
        "a\u202e@example.org",
        '"a b"@example.org',
        "ada@[127.0.0.1]",
        "=?utf-8?q?=0D=0AX?=@example.org",
        "\u3164@example.org",
    ],
)
def test_what_is_no_plain_mailbox_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=r"^email: ") as caught:
        domain.valid_email(text)
    assert because(caught) is Because.INVALID


def test_valid_personal_and_changes_are_in_their_canonical_spelling() -> None:
    raw = a_person(login=" Ada ", email="Ada@Example.ORG", full_name=" Ada ")
    assert domain.valid_personal(raw) == a_person(login="Ada", email="Ada@example.org", full_name="Ada")
    assert domain.valid_changes(Changes(email="A@B.ORG", locale="de")) == Changes(email="A@b.org", locale="de")
