"""`make tour`: starts a system of its own, plays stop after stop, and stops the system in order."""

import contextlib
import fcntl
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from services.console.failures import UsageError
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import System, local_programs
from services.workbench.settings import WorkbenchSettings
from services.workbench.tour.itinerary import STOPS
from services.workbench.tour.ports import own_system
from services.workbench.tour.scene import NotShownError, Place, Scene
from services.workbench.tour.screen import Screen
from services.workbench.tour.stop import Stop

WELCOME = (
    "A user, a notification and an audit service start on this machine, with a Kafka broker and a mail server. They "
    "exchange data only through Kafka topics. Every stop states what it shows, does it for real, and checks it."
)
NEXT = (
    ("make run", "the same system, up until Ctrl-C; its live page is {page}"),
    ("make demo", "1,000 users, and a count of every effect"),
    ("docs/concepts.md", "the terms that you have seen: topic, partition, offset, group, lag, outbox"),
    ("docs/life-of-an-event.md", "one command through the code, file by file"),
    ("docs/faq.md", "exactly once? what is not protected?"),
)


def for_enter(screen: Screen) -> None:
    """Wait for Enter, or the end of the input."""
    screen.say("[Enter] goes on, Ctrl-C ends the tour", "reverse")
    sys.stdin.readline()


def for_nothing(_: Screen) -> None:
    """Go on."""


class Tour:
    """One tour. `wait` is called after each stop, `stops` are what is shown."""

    def __init__(
        self,
        settings: WorkbenchSettings,
        console: Console,
        wait: Callable[[Screen], None],
        stops: Sequence[Stop] = STOPS,
    ) -> None:
        self._given = settings
        self._screen = Screen(console)
        self._wait = wait
        self._stops = stops

    def play(self) -> list[str]:
        """Play all stops, up to the first that fails; return what is wrong.

        Raises UsageError beside another tour, what starting raises, ProcessError when a part dies unasked, and
        KeyboardInterrupt after an orderly end.
        """
        settings, reason = own_system(self._given)
        place = Place(settings, settings.folder("tour"))
        with _alone(place.folder):
            self._screen.say("The tour of Eventline", "bold")
            self._screen.say(WELCOME)
            self._screen.blank()
            if reason:
                self._screen.say(reason, "yellow")
            problems = self._on_a_system(place)
        for problem in problems:
            self._screen.wrong(problem)
        if not problems:
            self._end()
        return problems

    def _on_a_system(self, place: Place) -> list[str]:
        with System(local_programs(*place)) as system:
            life = Lifecycle(system, place.settings, self._screen.step)
            try:
                life.start()
                problems = played(self._stops, Scene(place, system, life, self._screen), self._wait)
            except KeyboardInterrupt:
                self._screen.say("stopping in order; once more Ctrl-C kills")
                life.end()
                raise
            life.end()
        return problems + life.problems

    def _end(self) -> None:
        self._screen.blank()
        self._screen.say(f"All {len(self._stops)} stops showed what they claim.", "bold green")
        self._screen.blank()
        self._screen.say("Where to go from here", "bold")
        page = f"http://{HOST}:{self._given.page_port}/"
        self._screen.pairs([(name, text.format(page=page)) for name, text in NEXT])


def played(stops: Sequence[Stop], scene: Scene, wait: Callable[[Screen], None]) -> list[str]:
    """Play stops up to the first that does not show what it claims, and return what is wrong with it."""
    for number, stop in enumerate(stops, 1):
        scene.screen.title(number, len(stops), stop.title)
        scene.screen.say(stop.shows)
        scene.screen.blank()
        scene.screen.points(stop.look_at)
        scene.screen.blank()
        try:
            stop.play(scene)
        except (NotShownError, TimeoutError) as error:
            return [f"stop {number}, {stop.title}: {error}"]
        scene.system.require_running()
        wait(scene.screen)
    return []


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Empty a folder and keep other tours out of it. Raises UsageError if one is in it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another tour runs in {folder}: end it first") from None
        shutil.rmtree(folder, ignore_errors=True)
        yield
