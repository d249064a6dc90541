"""The page that asks a person in a browser for a token: the body of a 401 for who accepts HTML.

It has no data. Its script sends the token as `Authorization` to the same address and shows the answer in its place.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from litestar.types import HTTPScope, Send

PAGE = Path(__file__).with_name("sign_in.html").read_bytes()
SCRIPT = PAGE.partition(b"<script>")[2].partition(b"</script>")[0]
DIGEST = base64.b64encode(hashlib.sha256(SCRIPT).digest()).decode()
# The policy stays in force for the answer that takes the page's place: no other script runs there.
POLICY = (
    f"default-src 'none'; script-src 'sha256-{DIGEST}'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-length": str(len(PAGE)),
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "vary": "Accept",
}


def is_wanted(scope: HTTPScope) -> bool:
    """Return whether a browser asks for a page. Programs send no `text/html`, and get a problem detail."""
    return scope["method"] == "GET" and any(
        name == b"accept" and b"text/html" in value for name, value in scope["headers"]
    )


async def send_page(send: Send, headers: Mapping[str, str]) -> None:
    """Send the page with 401 and the headers of the refusal."""
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in {**HEADERS, **headers}.items()]
    await send({"type": "http.response.start", "status": 401, "headers": encoded})
    await send({"type": "http.response.body", "body": PAGE, "more_body": False})
