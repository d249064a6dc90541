"""The share of the connections that one recipient domain, and all slow ones together, may have."""

import threading

import pytest

from services.notification.mail.recipient_domains import REMEMBERED, SLOW_FOR_S, SLOW_S, RecipientDomains


class Seconds:
    """A monotonic clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def now() -> Seconds:
    return Seconds()


def a_slow_mail(domains: RecipientDomains, now: Seconds, recipient: str) -> None:
    with domains.place(recipient):
        now.now += SLOW_S


def test_a_domain_is_slow_while_a_mail_to_it_takes_long_and_for_a_minute_after(now: Seconds) -> None:
    domains = RecipientDomains(2, now)
    with domains.place("ada@slow.org"):
        assert domains.slow() == set()
        now.now += SLOW_S
        assert domains.slow() == {"slow.org"}
    assert domains.slow() == {"slow.org"}
    now.now += SLOW_FOR_S
    assert domains.slow() == set()


def test_a_quick_mail_ends_a_slow_domain(now: Seconds) -> None:
    domains = RecipientDomains(2, now)
    a_slow_mail(domains, now, "ada@slow.org")
    with domains.place("bob@slow.org") as is_free:
        assert is_free
    assert domains.slow() == set()


def test_all_slow_domains_together_have_one_share_and_others_are_not_held_up(now: Seconds) -> None:
    domains = RecipientDomains(2, now)
    for domain in ("slow.org", "slower.org", "slowest.org"):
        a_slow_mail(domains, now, f"ada@{domain}")
    with domains.place("ada@slow.org"), domains.place("ada@slower.org"):
        assert not domains.has_place()
        with domains.place("ada@slowest.org") as is_free, domains.place("ada@example.org") as quick:
            assert (is_free, quick) == (False, True)
    assert domains.has_place()


def test_a_mail_to_a_quick_domain_waits_for_a_place(now: Seconds) -> None:
    domains, places = RecipientDomains(1, now), []

    def send() -> None:
        with domains.place("bob@example.org") as is_free:
            places.append(is_free)

    other = threading.Thread(target=send)
    with domains.place("ada@example.org"):
        other.start()
        assert places == []
    other.join(10)
    assert places == [True]


def test_the_number_of_slow_domains_is_bounded(now: Seconds) -> None:
    domains = RecipientDomains(2, now)
    for number in range(REMEMBERED + 1):
        a_slow_mail(domains, now, f"ada@{number}.org")
        now.now += 0.001
    assert len(domains.slow()) == REMEMBERED
    assert "0.org" not in domains.slow()
