"""Masking for display."""

import pytest

from services.contracts.personal import HIDDEN, masked


@pytest.mark.parametrize(
    "shown",
    ["user.state.v1[3]@17", "user.state.v1[3]@17 to user.state.v1[3]@18", "notification.dlq.v1[0]@0, a dead letter"],
)
def test_the_place_of_a_record_is_shown(shown: str) -> None:
    assert masked(shown) == shown


@pytest.mark.parametrize("address", ["ada@example.org", "a]@1.example.org", "user.state.v1[3]@17x", "ada@17"])
def test_an_address_is_hidden_whatever_it_resembles(address: str) -> None:
    assert masked(f"mail to {address}: refused") == f"mail to {HIDDEN}: refused"
