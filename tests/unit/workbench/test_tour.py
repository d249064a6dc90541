"""The tour's stops as data, its screen, and its verdict where a stop does not show what it claims."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from services.chassis.messages.record import Headers, Record
from services.contracts.catalog import TYPE_NAMES
from services.contracts.user import EmailChanged, NewAddress, Personal, Preferences, UserRegistered
from services.workbench.local.free_ports import free_ports
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import System
from services.workbench.settings import WorkbenchSettings
from services.workbench.tour.itinerary import STOPS
from services.workbench.tour.run import for_nothing, played
from services.workbench.tour.scene import Place, Scene
from services.workbench.tour.screen import Screen
from services.workbench.tour.stop import Stop
from services.workbench.tour.stops.consumer_lag import FULL, WIDTH, bar
from services.workbench.tour.stops.event_sourcing import in_words, replay
from tests.support.builders import a_record, an_envelope


class Output:
    """A screen of 80 columns, as text."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.screen = Screen(Console(file=self._file, width=80))

    @property
    def text(self) -> str:
        return self._file.getvalue()


def a_scene(output: Output) -> Scene:
    settings, system = WorkbenchSettings(), System([])
    return Scene(Place(settings, Path("nowhere")), system, Lifecycle(system, settings), output.screen)


def a_stop(title: str, play: Callable[[Scene], None]) -> Stop:
    return Stop(title=title, shows="A thing.", look_at=("here",), play=play)


def a_fact(fact: UserRegistered | EmailChanged) -> Record:
    return a_record(an_envelope(type=TYPE_NAMES[type(fact)], subject="u"), fact)


def test_a_claim_that_holds_is_printed_and_the_next_stop_follows() -> None:
    output = Output()
    stops = [a_stop(name, lambda scene: scene.check("It holds.", "this", "")) for name in ("One", "Two")]
    assert played(stops, a_scene(output), for_nothing) == []
    assert output.text.count("✔ It holds.") == 2
    assert "2 of 2  Two" in output.text


def test_a_claim_that_does_not_hold_ends_the_tour_with_what_was_seen() -> None:
    output = Output()
    stops = [
        a_stop("One", lambda scene: scene.check("Nothing is lost.", None, "3 records are missing")),
        a_stop("Two", lambda _: None),
    ]
    [problem] = played(stops, a_scene(output), for_nothing)
    assert "stop 1, One" in problem
    assert "Nothing is lost." in problem
    assert "3 records are missing" in problem
    assert "✔" not in output.text
    assert "Two" not in output.text


def test_a_wait_that_ends_in_a_timeout_ends_the_tour_too() -> None:
    def late(_: Scene) -> None:
        raise TimeoutError("a mail: not within 60 s; last seen: []")

    assert "last seen: []" in played([a_stop("One", late)], a_scene(Output()), for_nothing)[0]


def test_a_service_that_does_not_answer_ends_the_tour_too() -> None:
    def register(scene: Scene) -> None:
        scene.register("Ada Lovelace")

    port: dict[str, Any] = {"user_port": free_ports(1)[0]}
    scene = a_scene(Output())
    scene.settings = WorkbenchSettings(**port)
    [problem] = played([a_stop("One", register)], scene, for_nothing)
    assert f"POST http://{HOST}:{scene.settings.port('user')}/users is answered" in problem


def test_a_record_is_shown_as_it_was_on_the_wire_within_eighty_columns() -> None:
    output = Output()
    headers: Headers = [("ce_id", b"01"), ("traceparent", None), ("odd", b"\xff\x1b[31m")]
    output.screen.record(Record("user.notices.v1", 3, 7, 1, 0, b"the-key", b'{"a":"' + b"b" * 100 + b'"}', headers))
    lines = output.text.splitlines()
    assert "topic user.notices.v1 · partition 3 · offset 7" in lines[0]
    assert re.search(r"key +the-key", output.text)
    assert re.search(r"traceparent +\(nothing\)", output.text)
    assert "\x1b" not in output.text
    assert r"\xff\x1b[31m" in output.text
    assert "".join(re.findall(r"b{10,}", output.text)) == "b" * 100
    assert max(map(len, lines)) <= 80


def test_an_address_is_never_broken_into_two_lines() -> None:
    output, url = Output(), f"http://127.0.0.1:18082/audit/journeys/{'0' * 64}.html"
    output.screen.link("A page:", url)
    assert f"  {url}" in output.text.splitlines()


def test_a_step_shows_a_long_address_whole() -> None:
    output, text = Output(), f"GET /users/{'0' * 36}?as_of={'1' * 60}"
    output.screen.step(text)
    assert "".join(output.text.split()).endswith(text.replace(" ", ""))
    assert max(map(len, output.text.splitlines())) <= 80


def test_a_bar_is_as_long_as_the_lag_and_never_longer_than_its_width() -> None:
    assert [bar(1.0, lag).count("█") for lag in (0, FULL // 2, FULL, 3 * FULL)] == [0, WIDTH // 2, WIDTH, WIDTH]
    assert len(f"  {bar(99.9, FULL)}") <= 80


def test_a_replay_gives_the_state_after_each_fact() -> None:
    registered = UserRegistered(Personal("alan", "alan@example.org", "Alan Turing", "en"), Preferences())
    states = list(replay("u", [a_fact(registered), a_fact(EmailChanged(NewAddress("turing@example.net")))]))
    assert [in_words(state) for state in states] == [
        "active, Alan Turing, alan@example.org, wants mail",
        "active, Alan Turing, turing@example.net, wants mail",
    ]


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.title)
def test_a_stop_has_a_title_for_one_line_and_names_what_to_look_at(stop: Stop) -> None:
    assert len(stop.title) <= 70
    assert stop.shows.endswith(".")
    assert stop.look_at
    assert len({other.title for other in STOPS}) == len(STOPS)
