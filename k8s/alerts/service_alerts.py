"""Alerts on the processes themselves: there, staying up, reaching their database."""

from k8s.alerts.alert import WATCHED, Alert
from services.contracts.service_list import SERVICES

NEVER_SEEN = "\n".join(f'or on (job) absent(up{{job="{name}"}})' for name in SERVICES)
# The outcomes of all tokens where the service is configured wrongly.
MISCONFIGURED = 'outcome=~"unknown_key|signature|issuer|audience|no_role"'
ALERTS = (
    Alert(
        name="ClockWrong",
        # An unscaled minute: a scrape takes its time, also in tests.
        when="max by (job, namespace) (abs(process_clock_seconds - timestamp(process_clock_seconds))) > 60",
        lasting="2m",
        severity="page",
        summary="The clock of {{ $labels.job }} differs by {{ $value | humanizeDuration }} from Prometheus's",
        description="Events are dated wrongly. A broker refuses records that are dated more than an hour ahead.",
    ),
    Alert(
        name="ServiceDown",
        when=f"max by (job, namespace) (up{{{WATCHED}}}) == 0",
        lasting="1m",
        severity="page",
        summary="{{ $labels.job }} does not answer",
        description="No process of {{ $labels.job }} answers on its metrics port.",
    ),
    Alert(
        name="ServiceGone",
        # One that ran here within hours, or one that has never been seen at all.
        when=f"""(
  group by (job, namespace) (last_over_time(up{{{WATCHED}}}[6h]))
  unless on (job, namespace) up{{{WATCHED}}}
)
{NEVER_SEEN}""",
        lasting="3m",
        severity="page",
        summary="{{ $labels.job }} is not there any more",
        description="Prometheus finds no target of {{ $labels.job }}: no process runs, or discovery misses it.",
    ),
    Alert(
        name="ReplicaDown",
        when=f"""count by (job, namespace) (up{{{WATCHED}}} == 0)
and on (job, namespace) max by (job, namespace) (up{{{WATCHED}}}) == 1""",
        lasting="5m",
        severity="ticket",
        summary="{{ $value }} of {{ $labels.job }}'s processes do not answer",
        description="The others of {{ $labels.job }} carry on without them.",
    ),
    Alert(
        name="ServiceRestarting",
        when=f"sum by (job, namespace) (changes(process_start_time_seconds{{{WATCHED}}}[30m])) >= 3",
        lasting="0s",
        severity="page",
        summary="{{ $labels.job }} has restarted {{ $value }} times in half an hour",
        description="A part of {{ $labels.job }} that fails takes its process down; its log names the part and why.",
    ),
    Alert(
        name="AllTokensRefused",
        # Nobody accepted within a day: nobody depends on it, or it is being set up.
        when=f"""sum by (job, namespace) (increase(http_server_tokens_total{{{MISCONFIGURED}}}[5m])) > 10
unless on (job, namespace) sum by (job, namespace) (increase(http_server_tokens_total{{outcome="accepted"}}[5m])) > 0
and on (job, namespace) sum by (job, namespace) (increase(http_server_tokens_total{{outcome="accepted"}}[1d])) > 0""",
        lasting="5m",
        severity="page",
        summary="{{ $labels.job }} refuses every token, {{ $value | humanize }} in five minutes",
        description="{{ $labels.job }} trusts another issuer, audience or key than that of the tokens it took before.",
    ),
    Alert(
        name="DatabaseUnreachable",
        # An unreadable size is NaN, the one number that does not equal itself.
        when="""max by (job, namespace) (database_size_bytes)
!= max by (job, namespace) (database_size_bytes)""",
        lasting="2m",
        severity="page",
        summary="{{ $labels.job }} cannot reach its database",
        description="{{ $labels.job }} answers 503 and consumes nothing until its database is back. Nothing is lost.",
    ),
)
