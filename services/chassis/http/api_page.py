"""The page that shows an API to people: made of its OpenAPI document alone, without scripts, fonts or any other host.

Litestar's own pages load their programs from a public address; this one works where there is no way out.
"""

import shlex
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

METHODS = ("get", "post", "put", "patch", "delete")
Document = dict[str, Any]


class Operation(msgspec.Struct, frozen=True):
    """One method of one path, as the page shows it. `curl` is a command that works."""

    method: str
    path: str
    described: Document
    curl: str


class DocsPage(OpenAPIRenderPlugin):
    """Renders the page at the root of the schema's path."""

    def __init__(self) -> None:
        super().__init__(path="/", favicon="", style="")
        folder = FileSystemLoader(Path(__file__).parent)
        self._page = Environment(loader=folder, autoescape=True, undefined=StrictUndefined).get_template("docs.html")

    def render(self, request: Request[Any, Any, Any], openapi_schema: Document) -> bytes:
        """Return the page."""
        shown = operations(openapi_schema, str(request.base_url).rstrip("/"))
        return self._page.render(document=openapi_schema, operations=shown, pretty=pretty).encode()


def operations(document: Document, base_url: str) -> list[Operation]:
    """Return a document's operations in its order."""
    return [
        Operation(method.upper(), path, described, curl(method, base_url + path, described))
        for path, item in document["paths"].items()
        for method, described in item.items()
        if method in METHODS
    ]


def curl(method: str, url: str, described: Document) -> str:
    """Return a command that sends an operation's examples."""
    words = ["curl", "-i", "-X", method.upper()]
    for parameter in described.get("parameters", []):
        for example in list(parameter.get("examples", {}).values())[:1]:
            if parameter["in"] == "path":
                url = url.replace("{" + parameter["name"] + "}", str(example["value"]))
            elif parameter["in"] == "header":
                words += ["-H", f"{parameter['name']}: {example['value']}"]
    if (body := example_body(described)) is not None:
        words += ["-H", "Content-Type: application/json", "-d", msgspec.json.encode(body).decode()]
    return shlex.join([*words, url])


def example_body(described: Document) -> Any:  # noqa: ANN401  # whatever JSON it is
    """Return the first example of an operation's body, None where it has none."""
    content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = content.get("schema", {}).get("examples", [])
    return examples[0] if examples else None


def pretty(value: object) -> str:
    """Return a value as JSON for people."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()
