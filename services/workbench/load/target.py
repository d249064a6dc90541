"""Target of the load: a system started here for it, or a running one by its addresses."""

import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path

import aiohttp
import msgspec

from services.chassis.kafka.settings import KafkaSettings
from services.console.failures import UsageError
from services.console.running import found
from services.contracts.service_list import SERVICES
from services.workbench.load.options import LoadOptions
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import MAILS, System, local_programs, require_ports
from services.workbench.scrape import scrape
from services.workbench.settings import WorkbenchSettings
from services.workbench.usage import Usage, of_metrics, of_system

Used = Callable[[aiohttp.ClientSession], Awaitable[Mapping[str, Usage]]]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A system: its addresses, where its mails can be read (if anywhere), what it uses, and how it is seen to live.

    `problems` is filled while a system that was started here ends.
    """

    user_url: str
    audit_url: str
    kafka: KafkaSettings
    mails: Path | None
    used: Used
    require_running: Callable[[], None]
    problems: list[str]


@contextlib.contextmanager
def target(settings: WorkbenchSettings, options: LoadOptions, say: Callable[[str], None]) -> Iterator[Target]:
    """Yield the system that the options name, else one that runs, else one of its own that ends with the block.

    Raises UsageError, and what starting and stopping raise.
    """
    if options.user_url is not None or options.audit_url is not None:
        yield _named(settings, options)
    elif not (options.start or settings.kafka_bootstrap_servers) and (running := found(settings, os.environ)):
        say(f"loading {running.name}, which runs")
        running.lend_token(settings.state_dir)
        yield _of(running.urls, running.client(settings), running.metrics.items())
    else:
        with _started(settings, say) as started:
            yield started


@contextlib.contextmanager
def _started(settings: WorkbenchSettings, say: Callable[[str], None]) -> Iterator[Target]:
    folder = settings.folder("load")
    require_ports(settings)
    shutil.rmtree(folder, ignore_errors=True)
    with System(local_programs(settings, folder)) as system:
        life = Lifecycle(system, settings, say)
        life.start()
        yield of_local(system, settings, folder, life.problems)
        life.end()


def of_local(system: System, settings: WorkbenchSettings, folder: Path, problems: list[str]) -> Target:
    """Return a local system that runs, with its state in a folder."""

    async def used(_: aiohttp.ClientSession) -> Mapping[str, Usage]:
        return of_system(system, *SERVICES)

    return Target(
        user_url=f"http://{HOST}:{settings.port('user')}",
        audit_url=f"http://{HOST}:{settings.port('audit')}",
        kafka=settings.client,
        mails=folder / MAILS,
        used=used,
        require_running=system.require_running,
        problems=problems,
    )


def _named(settings: WorkbenchSettings, options: LoadOptions) -> Target:
    if not options.user_url or not options.audit_url:
        raise UsageError(
            "a running system is named by --user-url and --audit-url: give both, or none to start one here"
        )
    pairs = [(name, url.rstrip("/").removesuffix("/metrics")) for name, _, url in map(_parted, options.metrics_url)]
    return _of({"user": options.user_url, "audit": options.audit_url}, settings.client, pairs)


def _of(urls: Mapping[str, str], kafka: KafkaSettings, metrics: Iterable[tuple[str, str]]) -> Target:
    pairs = list(metrics)

    async def used(session: aiohttp.ClientSession) -> Mapping[str, Usage]:
        return {name: of_metrics(await scrape(session, url)) for name, url in pairs}

    return Target(
        user_url=urls["user"].rstrip("/"),
        audit_url=urls["audit"].rstrip("/"),
        kafka=kafka,
        mails=None,
        used=used,
        require_running=lambda: None,
        problems=[],
    )


def _parted(text: str) -> tuple[str, str, str]:
    parts = text.partition("=")
    if not all(parts):
        raise UsageError(f"--metrics-url {text!r}: write NAME=URL, such as user=http://host:9464")
    return parts
