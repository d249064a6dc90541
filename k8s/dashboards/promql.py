"""Expressions as the panels write them: every selector follows the dashboards' variables.

The lag probe watches others: its metrics are chosen by their consumer group, not by its own job.
"""

SERVICE = 'namespace=~"$namespace", job=~"$service"'
GROUP = 'namespace=~"$namespace", messaging_consumer_group_name=~"$service"'
PROBE = 'namespace=~"$namespace"'
TOPIC = 'messaging_destination_name=~"$topic"'
LATELY, ALL_TIME = "$__rate_interval", "$__range"


def of(metric: str, *more: str, where: str = SERVICE) -> str:
    """Return a metric's series, of what is chosen."""
    return f"{metric}{{{', '.join((where, *more))}}}"


def rate(metric: str, *more: str, window: str = LATELY, where: str = SERVICE) -> str:
    """Return how fast each series grows, per second."""
    return f"rate({of(metric, *more, where=where)}[{window}])"


def increases(metric: str, *more: str, window: str = LATELY, where: str = SERVICE) -> str:
    """Return by how much each series of a counter has grown."""
    return f"increase({of(metric, *more, where=where)}[{window}])"


def per(labels: str, expression: str) -> str:
    """Return a sum for each value of some labels, parted by commas; of everything without any."""
    return f"sum by ({labels}) ({expression})" if labels else f"sum({expression})"


def most(labels: str, expression: str) -> str:
    """Return the largest for each value of some labels; of everything without any."""
    return f"max by ({labels}) ({expression})" if labels else f"max({expression})"


def quantile(share: float, histogram: str, labels: str = "", *more: str, window: str = LATELY) -> str:
    """Return how long a share of all takes at most, for each value of some labels."""
    buckets = rate(f"{histogram}_bucket", *more, window=window)
    return f"histogram_quantile({share:g}, {per(f'le, {labels}' if labels else 'le', buckets)})"


def mean(histogram: str, labels: str = "", *more: str) -> str:
    """Return the mean of what a histogram saw lately, for each value of some labels."""
    return f"{per(labels, rate(f'{histogram}_sum', *more))} / {per(labels, rate(f'{histogram}_count', *more))}"


def new_dead_letters() -> str:
    """Return the number of dead letters in the time range, from the topics' end offsets: no fraction."""
    ends = of("topic_end_offset", 'messaging_destination_name=~".+[.]dlq[.]v1"', where=PROBE)
    return per("", f"{ends} - min_over_time({ends}[{ALL_TIME}])")
