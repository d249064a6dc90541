"""The picture on the page: publishers on the left, topics in the middle, readers on the right, as SVG."""

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from services.contracts.catalog import Pattern, Topic

# Narrow, so that its text can be read on a phone.
WIDTH, ROW, TOP = 512, 58, 34
LEFT, MIDDLE, RIGHT = (0, 112), (154, 200), (396, 112)  # x and width of each column
HEADS = ("publishes", "topic", "reads")
BOX = Markup('<g class="{kind}"><rect x="{x}" y="{y}" width="{width}" height="38" rx="8"/>{label}</g>')
LABEL = Markup('<text x="{x}" y="{y}">{text}</text>')
LINE = Markup('<path class="{kind}" d="M{x} {y} C{half} {y} {half} {to_y} {to_x} {to_y}"/>')
HEAD = Markup('<text class="head" x="{x}" y="14">{text}</text>')


def flow(topics: Sequence[Topic], colours: Mapping[Pattern, str]) -> Markup:
    """Return the picture. A line has the colour of its topic's pattern."""
    height = TOP + ROW * len(topics) - 18
    places = {topic.name: TOP + ROW * row + 19 for row, topic in enumerate(topics)}
    publishers = _spread([publisher for topic in topics for publisher in topic.publishers], height)
    readers = _spread([reader for topic in topics for reader in topic.readers], height)
    lines = [line for topic in topics for line in _lines(topic, colours[topic.pattern], (publishers, places, readers))]
    boxes = [
        *(_box("service", LEFT, y, name) for name, y in publishers.items()),
        *(_box(colours[topic.pattern], MIDDLE, places[topic.name], topic.name) for topic in topics),
        *(_box("service", RIGHT, y, name) for name, y in readers.items()),
    ]
    heads = [HEAD.format(x=_centre(at), text=text) for at, text in zip((LEFT, MIDDLE, RIGHT), HEADS, strict=True)]
    drawn = Markup("").join([*heads, *lines, *boxes])
    return Markup('<svg class="flow" viewBox="-2 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, "Which service publishes to which topic, and which services read it", drawn
    )


def _spread(names: Sequence[str], height: int) -> dict[str, int]:
    distinct = list(dict.fromkeys(names))
    step = (height - TOP) / len(distinct)
    return {name: round(TOP + step * (row + 0.5)) for row, name in enumerate(distinct)}


def _lines(topic: Topic, kind: str, columns: tuple[Mapping[str, int], ...]) -> Iterator[Markup]:
    publishers, places, readers = columns
    here = places[topic.name]
    for publisher in topic.publishers:
        yield _line(kind, (sum(LEFT), publishers[publisher]), (MIDDLE[0], here))
    for reader in topic.readers:
        yield _line(kind, (sum(MIDDLE), here), (RIGHT[0], readers[reader]))


def _line(kind: str, start: tuple[int, int], end: tuple[int, int]) -> Markup:
    half = (start[0] + end[0]) // 2
    return LINE.format(kind=kind, x=start[0], y=start[1], half=half, to_x=end[0], to_y=end[1])


def _box(kind: str, column: tuple[int, int], y: int, text: str) -> Markup:
    label = LABEL.format(x=_centre(column), y=y + 5, text=text)
    return BOX.format(kind=kind, x=column[0], y=y - 19, width=column[1], label=label)


def _centre(column: tuple[int, int]) -> int:
    return column[0] + column[1] // 2
