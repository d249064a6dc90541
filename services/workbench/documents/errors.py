"""Catalogue of HTTP errors, docs/errors.md; the user API has every status of the others."""

from pathlib import Path

from services.chassis.http.problems import MEDIA_TYPE
from services.user.api_errors import CATALOGUE

PATH = Path(__file__).parents[3] / "docs/errors.md"
HEAD = (
    "# Errors\n"
    f"Every error of an HTTP API is a problem detail (RFC 9457, `{MEDIA_TYPE}`): `title`, `status`, `detail`, and\n"
    "`errors` if fields can be named. `X-Correlation-ID` is in every response; the log has it too.\n"
    "This page is written by `make docs`.\n\n"
    "| Status | Meaning | What to do |\n|---|---|---|\n"
)


def text() -> str:
    """Return the whole document."""
    rows = [f"| {status} {kind.title} | {kind.meaning} | {kind.remedy} |" for status, kind in CATALOGUE.items()]
    return HEAD + "\n".join(rows) + "\n"
