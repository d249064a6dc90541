"""Injects faults into the system under load and records when each alert fires and clears."""

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
from tests.alerts.environment import FIRING, Environment
from tests.alerts.faults import Fault
from tests.support.console_process import argv, await_load

RATE, POPULATION, LONGEST_S = 10, 50, 900
QUIET_S = 8.0  # without faults, for longer than a `for` of five minutes
RAISED_WITHIN_S = 90.0
CLEARED_WITHIN_S = 240.0
GAP_S = 3.0  # between two samples of one period of firing

Moments = Sequence[float]


class Identity(msgspec.Struct, frozen=True, order=True):
    """Identifies a firing alert: name, job, and the long window of an SLO alert."""

    name: str
    job: str
    long: str = ""

    @staticmethod
    def of(labels: Mapping[str, str]) -> "Identity":
        """Return the alert of a series of ALERTS."""
        return Identity(labels["alertname"], labels.get("job", ""), labels.get("long", ""))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Times of an alert in seconds: from the fault to firing (negative: before it), from its end to clearing."""

    alert: Identity
    what: str
    fired_before: Moments
    fired_after: float | None
    cleared_after: float | None


class _Played:
    def __init__(self, fault: Fault, environment: Environment, stack: contextlib.ExitStack) -> None:
        self.fault = fault
        self.began = time.time()
        self.ended: float | None = None
        self._active = stack.enter_context(contextlib.ExitStack())
        self._active.enter_context(fault.inject(environment))

    def follow(self, firing: set[Identity]) -> bool:
        """End the fault when all alerts that it raises fire; return whether those that it leaves fire too."""
        lasted = time.time() - self.began
        if self.ended is None and lasted >= self.fault.at_least_s and expected(self.fault.raises) <= firing:
            self.end()
        late = lasted > RAISED_WITHIN_S
        return late or (self.ended is not None and expected(self.fault.leaves) <= firing)

    def excuses(self, alert: Identity, moment: float) -> bool:
        """Return whether this fault may have raised an alert for a moment."""
        ended = self.ended or moment
        return alert in expected(self.fault.may_raise) and self.began <= moment <= ended + QUIET_S

    def end(self) -> None:
        if self.ended is None:
            self.ended = time.time()
            self._active.close()


def play(environment: Environment, phases: Sequence[Sequence[Fault]]) -> tuple[list[Identity], list[Outcome]]:
    """Return the alerts that fired before any fault, and the outcome of each alert."""
    with _load(environment):
        begun = time.time()
        time.sleep(QUIET_S)
        before = sorted(firing(environment))
        played = [one for phase in phases for one in _side_by_side(environment, phase)]
        _await_silence(environment)
        seen = _moments(environment, begun)
    for alert in seen:
        seen[alert] = [moment for moment in seen[alert] if not any(one.excuses(alert, moment) for one in played)]
    return before, [_outcome(alert, one, seen[alert]) for one in played for alert in sorted(_all_of(one.fault))]


def expected(named: Mapping[str, str]) -> set[Identity]:
    """Return the alerts that must fire; an SLO alert counts once for each window."""
    return {Identity(one.name, named[one.name], one.labels.get("long", "")) for one in alerts() if one.name in named}


def firing(environment: Environment) -> set[Identity]:
    """Return the alerts that fire now."""
    return {Identity.of(one.labels) for one in environment.prometheus.instant(FIRING, time.time())}


def _all_of(fault: Fault) -> set[Identity]:
    return expected({**fault.raises, **fault.leaves})


def _side_by_side(environment: Environment, faults: Iterable[Fault]) -> list[_Played]:
    with contextlib.ExitStack() as stack:
        played = [_Played(fault, environment, stack) for fault in faults]
        open_ones = list(played)
        seen: set[Identity] = set()
        while open_ones:
            time.sleep(POLL_SECONDS)
            seen |= firing(environment)
            open_ones = [one for one in open_ones if not one.follow(seen)]
        for one in played:
            one.end()
    return played


def _await_silence(environment: Environment) -> None:
    deadline, heard = time.monotonic() + CLEARED_WITHIN_S, time.monotonic()
    while heard + 2 * GAP_S > time.monotonic() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        heard = time.monotonic() if firing(environment) else heard


def _moments(environment: Environment, since: float) -> dict[Identity, Moments]:
    found: defaultdict[Identity, set[float]] = defaultdict(set)
    for one in environment.prometheus.range(FIRING, since, time.time(), 1):
        found[Identity.of(one.labels)].update(one.moments)
    return defaultdict(list, {alert: sorted(moments) for alert, moments in found.items()})


def _outcome(alert: Identity, played: _Played, moments: Moments) -> Outcome:
    since = [moment for moment in moments if moment >= played.began]
    if since and since[0] > played.began + RAISED_WITHIN_S:
        since = []  # another fault has raised it
    end = next((one for one, later in pairwise([*since, float("inf")]) if later - one > GAP_S), None)
    over = played.ended is not None and end is not None and time.time() - end > GAP_S
    return Outcome(
        alert=alert,
        what=played.fault.what,
        fired_before=[moment - played.began for moment in moments if moment < played.began],
        fired_after=since[0] - played.began if since else None,
        cleared_after=max(0.0, end - played.ended) if over and end and played.ended else None,
    )


@contextlib.contextmanager
def _load(environment: Environment) -> Iterator[None]:
    """Keep a mixed load on the system; the block starts when its first users are registered with all effects."""
    log = environment.folder / "load.log"
    url = "http://127.0.0.1"
    urls = (
        "--user-url",
        f"{url}:{environment.settings.port('user')}",
        "--audit-url",
        f"{url}:{environment.settings.port('audit')}",
    )
    options = ("--rate", str(RATE), "--seconds", str(LONGEST_S), "--population", str(POPULATION))
    variables = clean_environment({"APP_KAFKA_BOOTSTRAP_SERVERS": environment.kafka.kafka_bootstrap_servers})
    with log.open("wb") as output:
        load = subprocess.Popen((*argv("load"), *options, *urls), env=variables, stdout=output, stderr=output)
    try:
        await_load(load, log)
        yield
        assert load.poll() is None, f"the load has ended:\n{log.read_text()}"
    finally:
        load.kill()
        load.wait()
