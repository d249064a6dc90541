"""A stop of the tour as data: its texts, and the function that demonstrates them on a running system."""

from collections.abc import Callable

import msgspec

from services.workbench.tour.scene import Scene


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop. `shows` is its claim in plain English, `look_at` names the evidence to look at.

    `play` does it for real and checks it by `Scene.check`. It raises NotShownError or TimeoutError where the claim does
    not hold, and leaves all services running.
    """

    title: str
    shows: str
    look_at: tuple[str, ...]
    play: Callable[[Scene], None]
