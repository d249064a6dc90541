"""Values of a service's /metrics: sums over all labels, by name."""

from collections import Counter
from collections.abc import Mapping

import aiohttp
from prometheus_client.parser import text_string_to_metric_families


def sums(text: str) -> Mapping[str, float]:
    """Return each sample's value, summed over its labels; a name that is absent counts as 0."""
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] += sample.value  # type: ignore[assignment]  # a Counter adds any numbers
    return found


async def scrape(session: aiohttp.ClientSession, url: str) -> Mapping[str, float]:
    """Return the sums of a service. Raises aiohttp.ClientError."""
    async with session.get(f"{url}/metrics") as response:
        response.raise_for_status()
        return sums(await response.text())
