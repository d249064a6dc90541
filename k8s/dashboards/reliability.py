"""Reliability: objectives and their burn rates, what waits, what was repeated, parked or dead-lettered."""

from k8s.alerts.slos import BURNS, SLOS, Slo
from k8s.dashboards import shared_panels, style
from k8s.dashboards.board import NAMESPACE, SERVICE, Board, Row
from k8s.dashboards.operators import OPERATORS
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Bars, Series, Stat
from k8s.dashboards.promql import ALL_TIME, PROBE, increases, most, of, per, rate
from k8s.dashboards.retention import FORGETTING, HELD

AVAILABILITY, LATENCY, EFFECTS = SLOS
SHOWN = ("5m", "1h", "6h")
OLD_S = 60  # as in the alert
FREE = 512 * 2**20
BY_TOPIC, TOPIC_NAME = "job, messaging_destination_name", "{{job}} {{messaging_destination_name}}"
LARGE = 10 * 2**30


def kept(title: str, slo: Slo) -> Stat:
    """Return how much of a promise was kept lately, by the service that kept least."""
    return Stat(
        title=title,
        queries=(Query(f"1 - {most('', of(f'slo:{slo.name}:error_ratio6h'))}"),),
        unit="percentunit",
        normal=f"{slo.promise}. It shows the last six hours of the service that did worst.",
        act="the burn rates below show since when, and whether it still goes on.",
        runbook=slo.alert,
        steps=style.falling(1 - 2 * slo.budget, slo.objective),
    )


def burning(title: str, slo: Slo) -> Series:
    """Return how fast the budget of errors is spent, over three windows."""
    rates = [most("", of(f"slo:{slo.name}:burnrate{window}")) for window in SHOWN]
    return Series(
        title=title,
        queries=tuple(Query(rate, f"over {window}") for rate, window in zip(rates, SHOWN, strict=True)),
        unit="short",
        width=8,
        most=1,
        normal="below 1: at 1 the budget lasts exactly 30 days. The lines are where somebody is called.",
        act="5m high alone: it has just begun, or was short. 1h too: act now. 6h alone: it is over.",
        runbook=slo.alert,
        good=Good.ZERO,
        steps=((None, style.GOOD), (BURNS[1].factor, style.WARN), (BURNS[0].factor, style.BAD)),
    )


NOW = Row(
    "",
    (
        kept("Answered OK", AVAILABILITY),
        kept("Answered in time", LATENCY),
        kept("Effects in time", EFFECTS),
        Stat(
            title="Oldest in outbox",
            queries=(Query(most("", of("outbox_oldest_age_seconds"))),),
            unit="s",
            normal="well below a second.",
            act="events are safe in the store; the relay or the broker is unreachable.",
            runbook="OutboxOld",
            good=Good.ZERO,
            steps=style.rising(5, OLD_S),
        ),
        shared_panels.PARKED_KEYS,
        shared_panels.DEAD_LETTERS,
    ),
)

PROMISES = Row(
    "What is promised: how fast is the budget of errors spent?",
    (
        burning("Requests that fail", AVAILABILITY),
        burning("Answers that are late", LATENCY),
        burning("Effects that are late", EFFECTS),
    ),
)

OUTBOX = Row(
    "The outbox",
    (
        Series(
            title="How old is the oldest event that waits?",
            queries=(Query(most("job", of("outbox_oldest_age_seconds")), "{{job}}"),),
            unit="s",
            width=8,
            normal="below a second. The line is where the alert is.",
            act="a straight slope: nothing is published at all. Accepted commands are safe meanwhile.",
            runbook="OutboxOld",
            good=Good.ZERO,
            steps=style.above(OLD_S),
        ),
        Series(
            title="How many events wait to be published?",
            queries=(
                Query(most("job", of("outbox_pending_events")), "{{job}}"),
                Query(most("job", of("outbox_stopped_events")), "{{job}}, stopped"),
            ),
            unit="short",
            width=8,
            normal="a few dozen under load.",
            act="it climbs under a level load: the relay is the limit, see its publish times on Kafka.",
            runbook="OutboxOld",
            good=Good.ZERO,
        ),
        Series(
            title="Which relay leads, in which term?",
            queries=(Query(most("job", of("relay_epoch")), "{{job}}"),),
            unit="short",
            width=8,
            normal="a level line above zero; one step up for each restart or take-over.",
            act="zero: nobody leads, nothing is published. Many steps: a leader that cannot stay.",
            runbook="RelayWithoutLease",
        ),
    ),
)

ASIDE = Row(
    "Nothing is lost silently",
    (
        Bars(
            title="What was recognised as a repeat?",
            width=8,
            queries=(Query(f"{per(BY_TOPIC, increases('repeats_total', window=ALL_TIME))} > 0", TOPIC_NAME),),
            unit="locale",
            normal="some after a restart or a take-over: delivered again, applied once.",
            act="more at each look: somebody publishes twice, or a group starts from the beginning again.",
            good=Good.EMPTY,
        ),
        shared_panels.dead_letters_by_reason(width=8),
        shared_panels.parked_keys_by_service(width=8),
        Series(
            title="How long has a notice waited for its state?",
            queries=(Query(most("job", of("replica_wait_seconds")), "{{job}}"),),
            unit="s",
            most=1,
            normal="zero; a notice waits for a moment when it comes before its state.",
            act="a slope: see whether user.state.v1 is published, and whether the user's key is parked.",
            runbook="NoticesWaiting",
            good=Good.ZERO,
        ),
        Series(
            title="What is tried again?",
            queries=(
                Query(per("", rate("kafka_client_request_retries_total")), "requests to Kafka"),
                Query(per("", rate("mails_total", 'outcome="retried"')), "mails"),
                Query(per("", rate("progress_lost_races_total")), "batches after a lost race"),
                Query(per("", rate("relay_refused_writes_total")), "relays after a takeover"),
            ),
            unit="ops",
            normal="zero, but for moments in which something restarts.",
            act="steady: what it talks to is overloaded or partly unreachable.",
            good=Good.ZERO,
        ),
    ),
)

GROUND = Row(
    "What the services depend on",
    (
        Series(
            title="How large is each database?",
            queries=(Query(most("job", of("database_size_bytes")), "{{job}}"),),
            unit="bytes",
            width=8,
            normal="it grows with the events: facts are kept for ever.",
            act="faster than the events: a vacuum that does not run, or rows that are never deleted.",
            runbook="DatabaseLarge",
            steps=style.above(LARGE),
        ),
        Series(
            title="How much room is left for each database?",
            queries=(Query(f"min by (job) ({of('database_free_bytes')})", "{{job}}"),),
            unit="bytes",
            width=8,
            normal="a level line, gigabytes; PostgreSQL cannot tell.",
            act="a slope: reckon when it meets the line, and give it more before.",
            runbook="DatabaseSpaceLow",
            good=Good.EMPTY,
            steps=style.falling(FREE, 4 * FREE),
        ),
        Series(
            title="How full is each volume?",
            queries=(
                Query(
                    most(
                        "persistentvolumeclaim",
                        f"1 - {of('kubelet_volume_stats_available_bytes', where=PROBE)}"
                        f" / {of('kubelet_volume_stats_capacity_bytes', where=PROBE)}",
                    ),
                    "{{persistentvolumeclaim}}",
                ),
            ),
            unit="percentunit",
            width=8,
            most=1,
            normal="below the line. Only where Kubernetes' kubelet reports it; elsewhere empty.",
            act="the broker's volume: a topic's retention, or more room.",
            runbook="VolumeSpaceLow",
            good=Good.EMPTY,
            steps=style.above(0.9),
        ),
        Series(
            title="Does the mail server answer? (1 is yes)",
            queries=(Query(f"min by (job) ({of('mail_server_up')})", "{{job}}"),),
            unit="short",
            most=1,
            normal="1.",
            act="0: mails wait, in order, and no try is counted; look at the server.",
            runbook="MailServerDown",
        ),
        Series(
            title="What does the mail server refuse for good?",
            queries=(Query(per("outcome", increases("mail_refusals_total")), "{{outcome}}"),),
            unit="short",
            normal="a few: bounced flags an address, refused does not.",
            act="deferred: more than the ceiling; the server refuses everybody. Clear the flags set meanwhile.",
            runbook="MailsRefused",
            good=Good.ZERO,
        ),
        Series(
            title="How old is the oldest mail that is not sent?",
            queries=(Query(most("job", of("mail_oldest_open_age_seconds")), "{{job}}"),),
            unit="s",
            normal="some seconds in a burst.",
            act="minutes: the server refuses for now, or sending is slower than what is queued.",
            runbook="MailsWaiting",
            good=Good.ZERO,
        ),
    ),
)

BOARD = Board(
    uid="eventline-reliability",
    title="Eventline / Reliability",
    question="Is what was promised kept, and is anything waiting, repeated, parked or dead-lettered?",
    rows=(NOW, PROMISES, OUTBOX, ASIDE, HELD, OPERATORS, FORGETTING, GROUND),
    variables=(NAMESPACE, SERVICE),
)
