"""Swagger UI, served offline: its assets come from the package swagger-ui-py, which is located and never imported."""

from importlib.util import find_spec
from pathlib import Path

from litestar import Router, get
from litestar.datastructures import ResponseHeader
from litestar.exceptions import NotFoundException
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.params import FromPath
from litestar.response import File

PATH = "/schema"
MEDIA = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
# Litestar's page starts Swagger UI from an inline script, and Swagger UI writes inline styles.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def swagger_ui() -> SwaggerRenderPlugin:
    """Return the plugin for the page at the root of the schema's path."""
    script, preset, style = (f"{PATH}/assets/{name}" for name in MEDIA)
    return SwaggerRenderPlugin(
        js_url=script,
        standalone_preset_js_url=preset,
        css_url=style,
        path="/",
        favicon='<link rel="icon" href="data:,">',
    )


def router() -> Router:
    """Return the router of page, document and assets."""
    folder = _assets()

    @get("/assets/{name:str}", sync_to_thread=False, include_in_schema=False)
    def asset(name: FromPath[str]) -> File:
        if name not in MEDIA:
            raise NotFoundException(f"there is no asset {name[:100]!r}")
        return File(folder / name, media_type=MEDIA[name], content_disposition_type="inline")

    headers = [
        ResponseHeader(name="Content-Security-Policy", value=POLICY),
        ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
    ]
    return Router(PATH, route_handlers=[asset], response_headers=headers, include_in_schema=False)


def _assets() -> Path:
    found = find_spec("swagger_ui")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the package swagger-ui-py is not installed; install requirements.lock")
    return Path(found.origin).parent / "static"
