"""Panels of the callers that the APIs refuse: without a valid token, without a role, above a rate limit."""

from k8s.dashboards.board import Row
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Series
from k8s.dashboards.promql import per, rate

REFUSED = rate("http_server_request_duration_seconds_count", 'http_response_status_code=~"401|403|429"')

ROWS = (
    Row(
        "Callers",
        (
            Series(
                title="How many callers' requests are refused?",
                queries=(
                    Query(per("job, http_response_status_code", REFUSED), "{{job}} {{http_response_status_code}}"),
                ),
                unit="reqps",
                width=8,
                normal="few: 401 without a valid token (as browsers ask first), 403 without a role, 429 above a limit.",
                act="401: see beside it why tokens are refused. 403: docs/access.md has the roles of each route. 429: "
                "see whose limit it is.",
                good=Good.EMPTY,
            ),
            Series(
                title="Why are tokens refused?",
                queries=(
                    Query(
                        per("job, outcome", rate("http_server_tokens_total", 'outcome!="accepted"')),
                        "{{job}} {{outcome}}",
                    ),
                ),
                unit="reqps",
                width=8,
                normal="zero, now and then one that has expired; nothing where authentication is off.",
                act="unknown_key, signature, issuer or audience: of all callers, the service's configuration is wrong; "
                "of some, theirs. The log line `token refused` has the details.",
                runbook="AllTokensRefused",
                good=Good.EMPTY,
            ),
            Series(
                title="Whose rate limit is exceeded?",
                queries=(Query(per("job, limit", rate("http_server_rate_limited_total")), "{{job}} {{limit}}"),),
                unit="reqps",
                width=8,
                normal="zero; `caller` is the limit of one caller, `address` that of one client address.",
                act="address, with a proxy in front: all its callers share one limit, raise APP_RATE_LIMIT_ADDRESS.",
                good=Good.ZERO,
            ),
        ),
    ),
)
