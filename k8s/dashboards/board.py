"""A dashboard: rows of panels, laid out in reading order, with the variables and links that all dashboards share."""

import json
from collections.abc import Iterator

import msgspec
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from k8s.dashboards import panel_types
from k8s.dashboards.panel import Panel

TAG = "eventline"
COLUMNS = 24


class Variable(msgspec.Struct, frozen=True):
    """A choice at the top of a dashboard, of several or All; `metric` is a series that has the label."""

    name: str
    label: str
    metric: str

    @property
    def query(self) -> str:
        """Return how Grafana finds the choices."""
        return f"label_values({self.metric}, {self.label})"


NAMESPACE = Variable("namespace", "namespace", "app_build_info")
SERVICE = Variable("service", "job", 'app_build_info{namespace=~"$namespace"}')
TOPIC = Variable("topic", "messaging_destination_name", 'topic_end_offset{namespace=~"$namespace"}')


class Row(msgspec.Struct, frozen=True):
    """Panels under a title; without a title they are at the top."""

    title: str
    panels: tuple[panel_types.Any, ...]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """One dashboard. `variables` are those that its panels follow."""

    uid: str
    title: str
    question: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = (NAMESPACE, SERVICE, TOPIC)

    def panels(self) -> Iterator[Panel]:
        """Yield every panel that asks something."""
        for row in self.rows:
            yield from (panel for panel in row.panels if isinstance(panel, Panel))


def json_of(board: Board) -> str:
    """Return a dashboard as the file that Grafana reads."""
    built = builders.Dashboard(board.title).uid(board.uid).description(board.question).tags([TAG]).editable()
    built = (
        built.time("now-30m", "now").refresh("10s").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    )
    built = built.variables([_source(), *map(_variable, board.variables)]).link(_links())
    for panel in _placed(board):
        built = built.with_row(panel) if isinstance(panel, builders.Row) else built.with_panel(panel)
    return json.dumps(built.build(), cls=JSONEncoder, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _placed(board: Board) -> Iterator[builders.Row | panel_types.Built]:
    """Yield rows and panels at their places, with ids that stay as long as nothing is put before them."""
    top, number = 0, 1
    for row in board.rows:
        if row.title:
            yield builders.Row(row.title).id(number).grid_pos(models.GridPos(h=1, w=COLUMNS, x=0, y=top))
            top, number = top + 1, number + 1
        left, tallest = 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            place = models.GridPos(h=panel.height, w=panel.width, x=left, y=top)
            yield panel.build().id(number).grid_pos(place)
            left, tallest, number = left + panel.width, max(tallest, panel.height), number + 1
        top += tallest


def _source() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _variable(variable: Variable) -> builders.QueryVariable:
    everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
    found = builders.QueryVariable(variable.name).label(variable.name.capitalize()).query(variable.query)
    found = found.datasource(panel_types.SOURCE).multi(True).include_all(True).current(everything)
    return found.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)


def _links() -> builders.DashboardLink:
    link = builders.DashboardLink("Eventline").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.placement("").include_vars(True).keep_time(True)
