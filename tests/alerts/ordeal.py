"""Plays the deeds on the system under load, and tells of each alert when it fired and when it cleared."""

import contextlib
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from k8s.alerts.rules import alerts
from services.workbench.local.processes import POLL_SECONDS
from services.workbench.local.system import clean_environment
from tests.alerts.deeds import Deed
from tests.alerts.stage import FIRING, Stage
from tests.support.console_process import argv, await_load

RATE, POPULATION, LONGEST_S = 10, 50, 900
QUIET_S = 8.0  # a system that nothing happens to, for longer than a `for` of five minutes
RAISED_WITHIN_S = 90.0
CLEARED_WITHIN_S = 240.0
GAP_S = 3.0  # between two looks of one stretch

Moments = Sequence[float]


class Told(msgspec.Struct, frozen=True, order=True):
    """An alert as it is told: its name, of whom, and the pace of one on an SLO."""

    name: str
    job: str
    long: str = ""

    @staticmethod
    def of(labels: Mapping[str, str]) -> "Told":
        """Return what a series of ALERTS is about."""
        return Told(labels["alertname"], labels.get("job", ""), labels.get("long", ""))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an alert, in seconds: from the deed to its firing, from the deed's end to its silence."""

    told: Told
    what: str
    fired_before: bool
    fired_after: float | None
    cleared_after: float | None


class _Played:
    def __init__(self, deed: Deed, stage: Stage, stack: contextlib.ExitStack) -> None:
        self.deed = deed
        self.began = time.time()
        self.ended: float | None = None
        self._happening = stack.enter_context(contextlib.ExitStack())
        self._happening.enter_context(deed.happening(stage))

    def follow(self, firing: set[Told]) -> bool:
        """End the deed when what it raises is told; return whether all that it leaves is told too."""
        lasted = time.time() - self.began
        if self.ended is None and lasted >= self.deed.at_least_s and expected(self.deed.raises) <= firing:
            self.end()
        late = lasted > RAISED_WITHIN_S
        return late or (self.ended is not None and expected(self.deed.leaves) <= firing)

    def end(self) -> None:
        if self.ended is None:
            self.ended = time.time()
            self._happening.close()


def play(stage: Stage, phases: Sequence[Sequence[Deed]]) -> tuple[list[Told], list[Outcome]]:
    """Return what was told before anything happened, and what became of each alert."""
    with _load(stage):
        begun = time.time()
        time.sleep(QUIET_S)
        before = sorted(firing(stage))
        played = [one for phase in phases for one in _side_by_side(stage, phase)]
        _await_silence(stage)
        seen = _moments(stage, begun)
    return before, [_outcome(told, one, seen[told]) for one in played for told in sorted(_all_of(one.deed))]


def expected(named: Mapping[str, str]) -> set[Told]:
    """Return what must be told: an alert on an SLO at each pace."""
    return {Told(one.name, named[one.name], one.labels.get("long", "")) for one in alerts() if one.name in named}


def firing(stage: Stage) -> set[Told]:
    """Return what is told now."""
    return {Told.of(one.labels) for one in stage.prometheus.instant(FIRING, time.time())}


def _all_of(deed: Deed) -> set[Told]:
    return expected({**deed.raises, **deed.leaves})


def _side_by_side(stage: Stage, deeds: Iterable[Deed]) -> list[_Played]:
    with contextlib.ExitStack() as stack:
        played = [_Played(deed, stage, stack) for deed in deeds]
        open_ones = list(played)
        seen: set[Told] = set()
        while open_ones:
            time.sleep(POLL_SECONDS)
            seen |= firing(stage)
            open_ones = [one for one in open_ones if not one.follow(seen)]
        for one in played:
            one.end()
    return played


def _await_silence(stage: Stage) -> None:
    deadline, heard = time.monotonic() + CLEARED_WITHIN_S, time.monotonic()
    while heard + 2 * GAP_S > time.monotonic() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        heard = time.monotonic() if firing(stage) else heard


def _moments(stage: Stage, since: float) -> Mapping[Told, Moments]:
    found: defaultdict[Told, set[float]] = defaultdict(set)
    for one in stage.prometheus.range(FIRING, since, time.time(), 1):
        found[Told.of(one.labels)].update(one.moments)
    return defaultdict(list, {told: sorted(moments) for told, moments in found.items()})


def _outcome(told: Told, played: _Played, moments: Moments) -> Outcome:
    since = [moment for moment in moments if moment >= played.began]
    if since and since[0] > played.began + RAISED_WITHIN_S:
        since = []  # something else has raised it
    end = next((one for one, later in pairwise([*since, float("inf")]) if later - one > GAP_S), None)
    over = played.ended is not None and end is not None and time.time() - end > GAP_S
    return Outcome(
        told=told,
        what=played.deed.what,
        fired_before=any(moment < played.began for moment in moments),
        fired_after=since[0] - played.began if since else None,
        cleared_after=max(0.0, end - played.ended) if over and end and played.ended else None,
    )


@contextlib.contextmanager
def _load(stage: Stage) -> Iterator[None]:
    """Keep a mixed load on the system, begun when its first users are there with all that follows."""
    log = stage.folder / "load.log"
    url = "http://127.0.0.1"
    urls = ("--user-url", f"{url}:{stage.settings.user_port}", "--audit-url", f"{url}:{stage.settings.audit_port}")
    options = ("--rate", str(RATE), "--seconds", str(LONGEST_S), "--population", str(POPULATION))
    environment = clean_environment({"APP_KAFKA_BOOTSTRAP_SERVERS": stage.kafka.kafka_bootstrap_servers})
    with log.open("wb") as output:
        load = subprocess.Popen((*argv("load"), *options, *urls), env=environment, stdout=output, stderr=output)
    try:
        await_load(load, log)
        yield
        assert load.poll() is None, f"the load has ended:\n{log.read_text()}"
    finally:
        load.kill()
        load.wait()
