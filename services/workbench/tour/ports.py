"""Settings of the tour's system: the ports of `make run`, or free ones where these are taken."""

from dataclasses import replace
from typing import Any

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST, PortTakenError
from services.workbench.local.processes import probe
from services.workbench.local.system import require_ports
from services.workbench.local.trial import PORTS
from services.workbench.settings import WorkbenchSettings


def live_page(settings: WorkbenchSettings) -> str | None:
    """Return the address of the live page if `make run` is up, else None."""
    url = f"http://{HOST}:{settings.page_port}/"
    return url if probe(HOST, settings.page_port, "/") is None else None


def own_system(given: WorkbenchSettings) -> tuple[WorkbenchSettings, str]:
    """Return settings of a system that meets no other, and the reason if they have other ports than the given ones.

    The tour stops, kills and changes its system: it never uses a broker that somebody else has.
    """
    ports: dict[str, Any] = {port: getattr(given, port) for port in PORTS}
    own = WorkbenchSettings(state_dir=given.state_dir, deadline=given.deadline, secure=given.secure, **ports)
    try:
        require_ports(own)
    except PortTakenError as taken:
        free: dict[str, Any] = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        return replace(own, **free), _reason(given, taken)
    return own, ""


def _reason(given: WorkbenchSettings, taken: PortTakenError) -> str:
    if page := live_page(given):
        return f"`make run` is up, with its live page at {page}. The tour leaves it alone and uses free ports."
    return f"{taken}\nThe tour uses free ports instead."
