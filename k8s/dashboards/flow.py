"""Flow: an event travels, from a command over HTTP to a mail and an audit entry."""

from k8s.alerts.slos import EFFECT_S
from k8s.dashboards import style
from k8s.dashboards.board import Board, Row
from k8s.dashboards.panel import Good, Query, percentiles
from k8s.dashboards.panel_types import Bars, Heat, Note, Series, Stat
from k8s.dashboards.promql import ALL_TIME, TOPIC, increases, of, per, quantile, rate

HTTP = "http_server_request_duration_seconds"
EFFECT = "event_end_to_end_latency_seconds"
PUBLISH = "event_publish_latency_seconds"
MAIL = "mail_delivery_latency_seconds"
COMMAND = 'http_request_method!~"GET|HEAD|OPTIONS"'
NOTIFICATION, AUDIT = 'job="notification"', 'job="audit"'
MOST_PENDING = 1000  # a second's work at full load, so it is no backlog yet

WAY = Note(
    content=(
        "A command arrives over **HTTP** ▸ its event is **stored** with the new state ▸ the relay **publishes** it as "
        "fact, state and notice ▸ **notification** applies it, **audit** keeps it ▸ a **mail** leaves, which is an "
        "event of its own. The numbers are in this order."
    ),
)

STAGES = Row(
    "",
    (
        WAY,
        Stat(
            width=3,
            title="1 Commands",
            queries=(Query(per("", rate(f"{HTTP}_count", COMMAND, 'http_response_status_code=~"2.."'))),),
            unit="reqps",
            normal="commands that were accepted; what the callers send.",
            act="compare with Services: refused commands, errors, or nobody calls.",
        ),
        Stat(
            width=3,
            title="2 Stored",
            queries=(Query(per("", rate("event_store_appended_total"))),),
            unit="eps",
            normal="events: one or more for each command, and two for each mail: queued, sent.",
            act="without commands nothing is stored; with commands, look at Services, writer queue.",
        ),
        Stat(
            width=3,
            title="3 In outbox",
            queries=(Query(per("", of("outbox_pending_events"))),),
            unit="short",
            normal="a few dozen under load, zero at rest.",
            act="the relay or the broker is behind: see Reliability, outbox.",
            runbook="OutboxOld",
            good=Good.ZERO,
            steps=style.rising(MOST_PENDING, 10 * MOST_PENDING),
        ),
        Stat(
            width=3,
            title="4 Published",
            queries=(Query(per("", rate("messaging_client_sent_messages_total", TOPIC))),),
            unit="recps",
            normal="three records for each event of a user: fact, state, notice; one for each event of a mail.",
            act="less than stage 2 asks for: the relay is behind, see stage 3.",
        ),
        Stat(
            width=3,
            title="5 Applied",
            queries=(Query(per("", rate(f"{EFFECT}_count", NOTIFICATION))),),
            unit="recps",
            normal="records that notification applied: two for each event of a user, its state and its notice.",
            act="look at Kafka, lag of notification, and whether it is paused or parked.",
        ),
        Stat(
            width=3,
            title="6 Audited",
            queries=(Query(per("", rate(f"{EFFECT}_count", AUDIT))),),
            unit="recps",
            normal="as much as stage 4: audit keeps every record.",
            act="look at Audit, time behind.",
        ),
        Stat(
            width=3,
            title="7 Mailed",
            queries=(Query(per("", rate("mails_total", 'outcome="sent"'))),),
            unit="ops",
            normal="mails that the server accepted: one for each notice with a template and a recipient who wants it.",
            act="look at the mails at the end of this page.",
        ),
        Stat(
            width=3,
            title="p95 to effect",
            queries=(Query(quantile(0.95, EFFECT)),),
            unit="s",
            normal="from event to committed effect: well under a second. A new consumer or an outage makes it longer.",
            act="the graph below shows which stage takes the time.",
            steps=style.rising(EFFECT_S / 5, EFFECT_S),
        ),
    ),
)

TIMES = Row(
    "How long the way takes",
    (
        Series(
            title="How old is an event at each stage? (p95)",
            queries=(
                Query(quantile(0.95, PUBLISH), "on its topic"),
                Query(quantile(0.95, EFFECT, "", NOTIFICATION), "notification applied it"),
                Query(quantile(0.95, EFFECT, "", AUDIT), "audit keeps it"),
                Query(quantile(0.95, MAIL), "its mail is accepted, from being queued"),
            ),
            unit="s",
            normal="the stages lie close together, in this order, well below the line.",
            act="the first stage that rises has the trouble; those behind it only wait.",
            steps=style.above(EFFECT_S),
        ),
        Heat(
            title="Where do the times from event to effect lie?",
            queries=(Query(per("le", increases(f"{EFFECT}_bucket")), "{{le}}"),),
            unit="s",
            normal="one bright band; a second band above it is a group of events that had to wait.",
            act="find the type that waits in the panels below.",
        ),
    ),
)

TYPES = Row(
    "By type of event",
    (
        Series(
            title="Which events are stored?",
            queries=(Query(per("type", rate("event_store_appended_total")), "{{type}}"),),
            unit="eps",
            stacked=True,
            normal="the mix of commands: mostly registrations and changes, and what was mailed for them.",
            act="a type that is missing: nobody asks for it, or Services shows why it is refused.",
        ),
        Series(
            title="Which records are published, by topic?",
            stacked=True,
            queries=(
                Query(
                    per("messaging_destination_name", rate("messaging_client_sent_messages_total", TOPIC)),
                    "{{messaging_destination_name}}",
                ),
            ),
            unit="recps",
            normal="the three topics of the user service rise and fall together; no dead letters, which would be red.",
            act="a topic without new records while the others move: look at its dead letters and at the relay.",
        ),
        Bars(
            title="How old is an event when its topic has it? (p95)",
            queries=(Query(quantile(0.95, PUBLISH, "type", window=ALL_TIME), "{{type}}"),),
            unit="s",
            normal="all types alike: the relay knows no type.",
            act="one type alone that is slow: its events are large, or were published again after an outage.",
            steps=style.rising(EFFECT_S / 5, EFFECT_S),
        ),
        Bars(
            title="How old is it when its effect is committed? (p95)",
            queries=(Query(quantile(0.95, EFFECT, "type", window=ALL_TIME), "{{type}}"),),
            unit="s",
            normal="a little more than to the left: a consumer takes what has come as one batch.",
            act="a type alone that is slow: its consumer parks it, or waits for a replica.",
            steps=style.rising(EFFECT_S / 5, EFFECT_S),
        ),
    ),
)

MAILS = Row(
    "The mails at the end",
    (
        Series(
            title="What became of mails?",
            stacked=True,
            queries=(Query(per("outcome", rate("mails_total")), "{{outcome}}"),),
            unit="ops",
            normal="sent, and nearly nothing else.",
            act="retried: the server refuses for now. failed: it refuses for good. unknown: killed while sending.",
            good=Good.ZERO,
            width=8,
        ),
        Series(
            title="How many mails wait?",
            queries=(Query(per("state", of("mail_intents")), "{{state}}"),),
            unit="short",
            normal="open rises with a burst and falls again; attempting is what the senders hold.",
            act="open that only rises: see whether the mail server is up, on Reliability.",
            runbook="MailsWaiting",
            good=Good.ZERO,
            width=8,
        ),
        Series(
            title="How long from queued to accepted?",
            queries=percentiles(lambda share: quantile(share, MAIL), 0.5, 0.95),
            unit="s",
            normal="some seconds in a burst: mails leave one after another.",
            act="minutes: the mail server is slow or unreachable, or there are too few senders.",
            width=8,
        ),
    ),
)

BOARD = Board(
    uid="eventline-flow",
    title="Eventline / Flow",
    question="How does an event travel, and how long does it take?",
    rows=(STAGES, TIMES, TYPES, MAILS),
)
