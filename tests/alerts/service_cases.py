"""Cases of the alerts on service processes."""

from services.contracts.service_list import SERVICES
from tests.alerts.case import WHERE, Case, flat, rising

USER = f'job="user", {WHERE}'
AUDIT = f'job="audit", {WHERE}'
UP = {name: f'up{{job="{name}", {WHERE}, instance="1"}}' for name in SERVICES}
THERE = {series: flat((1, 60)) for series in UP.values()}


def _up(one: str, *phases: tuple[float | str, int], instance: str = "1") -> dict[str, str]:
    return {f'up{{{one}, instance="{instance}"}}': flat(*phases)}


def _started(*phases: tuple[float | str, int]) -> dict[str, str]:
    return {f'process_start_time_seconds{{{USER}, instance="1"}}': flat(*phases)}


def _size(*phases: tuple[float | str, int], instance: str = "1") -> dict[str, str]:
    return {f'database_size_bytes{{{USER}, instance="{instance}"}}': flat(*phases)}


def _tokens(outcome: str, *phases: tuple[int, int]) -> dict[str, str]:
    return {f'http_server_tokens_total{{{USER}, outcome="{outcome}"}}': rising(*phases)}


CASES = (
    Case(
        alert="ClockWrong",
        story="its clock is an hour ahead for ten minutes",
        series={f'process_clock_seconds{{{USER}, instance="1"}}': "0+60x9 4200+60x9 1200+60x9"},
        firing={9: [], 13: [USER], 19: [USER], 21: []},
    ),
    Case(
        alert="ClockWrong",
        story="clocks differ by half a minute",
        series={f'process_clock_seconds{{{USER}, instance="1"}}': "30+60x29"},
        firing={29: []},
    ),
    Case(
        alert="ServiceDown",
        story="its only process does not answer for a minute",
        series=_up(USER, (1, 10), (0, 10), (1, 10)),
        firing={9: [], 12: [USER], 19: [USER], 21: []},
    ),
    Case(
        alert="ServiceDown",
        story="one of two processes answers",
        series=_up(USER, (1, 30)) | _up(USER, (0, 30), instance="2"),
        firing={15: [], 29: []},
    ),
    Case(
        alert="ServiceDown",
        story="what others run is theirs",
        series={f'up{{job="node-exporter", {WHERE}, instance="1"}}': flat((0, 30))},
        firing={29: []},
    ),
    Case(
        alert="ServiceGone",
        story="its last target goes, as a pod that is not recreated, and comes back",
        series=THERE | _up(USER, (1, 10), ("_", 20), (1, 20)),
        firing={9: [], 20: [USER], 32: []},
    ),
    Case(
        alert="ServiceGone",
        story="it has never been seen",
        series={series: flat((1, 30)) for name, series in UP.items() if name != "audit"},
        firing={2: [], 10: ['job="audit"']},
    ),
    Case(
        alert="ServiceGone",
        story="a rollout puts one pod in the place of another",
        series=THERE | _up(USER, (1, 20), ("_", 40)) | _up(USER, ("_", 19), (1, 41), instance="2"),
        firing={19: [], 25: [], 59: []},
    ),
    Case(
        alert="ReplicaDown",
        story="one of two processes does not answer",
        series=_up(USER, (1, 40)) | _up(USER, (1, 10), (0, 20), (1, 10), instance="2"),
        firing={12: [], 20: [USER], 32: []},
    ),
    Case(
        alert="ReplicaDown",
        story="when no process answers it is no matter of a replica",
        series=_up(USER, (0, 30)) | _up(USER, (0, 30), instance="2"),
        firing={20: [], 29: []},
    ),
    Case(
        alert="ServiceRestarting",
        story="four starts within ten minutes",
        series=_started((100, 10), (700, 3), (900, 3), (1100, 3), (1300, 40)),
        firing={12: [], 20: [USER], 55: []},
    ),
    Case(
        alert="ServiceRestarting",
        story="two starts within half an hour are a rollout and its undoing",
        series=_started((100, 10), (700, 5), (900, 45)),
        firing={15: [], 20: [], 40: []},
    ),
    Case(
        alert="ServiceRestarting",
        story="three starts in a day are three rollouts",
        series=_started((100, 60), (3600, 60), (7200, 60), (10800, 60)),
        firing={100: [], 200: [], 239: []},
    ),
    Case(
        alert="AllTokensRefused",
        story="a deployment names another issuer, and is undone",
        series=_tokens("accepted", (60, 20), (0, 20), (60, 20)) | _tokens("issuer", (0, 20), (60, 20), (0, 20)),
        firing={19: [], 22: [], 32: [USER], 39: [USER], 45: []},
    ),
    Case(
        alert="AllTokensRefused",
        story="one caller among others has a wrong audience",
        series=_tokens("accepted", (60, 60)) | _tokens("audience", (60, 60)),
        firing={30: [], 59: []},
    ),
    Case(
        alert="AllTokensRefused",
        story="tokens of all callers expire, or are no tokens: not a matter of this service",
        series=_tokens("accepted", (60, 20), (0, 40)) | _tokens("expired", (60, 60)) | _tokens("malformed", (60, 60)),
        firing={30: [], 59: []},
    ),
    Case(
        alert="AllTokensRefused",
        story="a stranger tries keys where no caller has ever come, or a few where callers rest",
        series={f'http_server_tokens_total{{{AUDIT}, outcome="unknown_key"}}': rising((60, 60))}
        | _tokens("accepted", (60, 20), (0, 40))
        | _tokens("unknown_key", (1, 60)),
        firing={30: [], 59: []},
    ),
    Case(
        alert="DatabaseUnreachable",
        story="what the database is asked for is not known for minutes",
        series=_size((4096, 10), ("NaN", 10), (4096, 10)),
        firing={9: [], 15: [USER], 21: []},
    ),
    Case(
        alert="DatabaseUnreachable",
        story="one of two replicas reaches it, and a process that is down has no metric of it",
        series=_size((4096, 30)) | _size(("NaN", 30), instance="2") | {UP["audit"]: rising((0, 30))},
        firing={15: [], 29: []},
    ),
)
