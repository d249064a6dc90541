"""The kinds of panels, each with its look; built with Grafana's SDK."""

import string
from typing import TypeVar

import msgspec
from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, text, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models import text as texts

from k8s.dashboards import series_names, style
from k8s.dashboards.panel import Form, Panel, Query

DECIMALS = {"percentunit": 2, "locale": 0}  # where Grafana's own choice shows too little, or fractions of whole things
SOURCE = options.DataSourceRef(type_val="prometheus", uid="${datasource}")
LEGEND = (
    common.VizLegendOptions()
    .show_legend(True)
    .display_mode(options.LegendDisplayMode.LIST)
    .placement(options.LegendPlacement.BOTTOM)
)
LAST = common.ReduceDataOptions().calcs(["lastNotNull"])
Mode = models.FieldColorModeId
Dressed = TypeVar("Dressed", stat.Panel, timeseries.Panel, bargauge.Panel, heatmap.Panel)


class Stat(Panel, frozen=True, kw_only=True):
    """One number now, with its way there behind it."""

    width: int = 4
    height: int = 4

    def build(self) -> stat.Panel:
        """Return it as Grafana's SDK has it."""
        panel = _styled(stat.Panel(), self).reduce_options(LAST).graph_mode(options.BigValueGraphMode.AREA)
        return panel.color_mode(options.BigValueColorMode.VALUE).color_scheme(_color(self))


class Series(Panel, frozen=True, kw_only=True):
    """Lines over time; stacked where the sum has a meaning too. `most` is the least top of the axis.

    A stack leaves zeros out: a line of nothing on top of the stack would look as large as the stack.
    """

    stacked: bool = False
    most: float | None = None

    def targets(self) -> tuple[Query, ...]:
        """Return the queries as they are sent."""
        if not self.stacked:
            return self.queries
        return tuple(Query(f"({query.expression}) > 0", query.legend) for query in self.queries)

    def build(self) -> timeseries.Panel:
        """Return it as Grafana's SDK has it."""
        panel = _styled(timeseries.Panel(), self).axis_soft_min(0).line_width(2).fill_opacity(25 if self.stacked else 0)
        panel = panel.show_points(options.VisibilityMode.NEVER).span_nulls(False).legend(LEGEND)
        panel = panel.color_scheme(builders.FieldColor().mode(Mode.PALETTE_CLASSIC))
        panel = panel.tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
        names = [name for query in self.queries for name in series_names.names(query.legend)]
        for name, look in style.lines(names, dashed=not self.stacked):
            panel = panel.override_by_regexp(name, look)
        faults_only = self.steps == style.NONE_ALLOWED
        if (
            faults_only or not self.steps
        ):  # Grafana draws the threshold lines of the first series: a fault's would be at zero
            panel = panel.override_by_regexp(style.EVERYTHING if faults_only else style.FAULTS, style.faults())
        if self.stacked:
            panel = panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL))
        if self.steps and not faults_only:
            line = common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED)
            panel = panel.thresholds_style(line)
        return panel if self.most is None else panel.axis_soft_max(self.most)


class Bars(Panel, frozen=True, kw_only=True):
    """One bar for each series, of the whole time that is looked at."""

    def build(self) -> bargauge.Panel:
        """Return it as Grafana's SDK has it."""
        panel = _styled(bargauge.Panel(), self).reduce_options(LAST).orientation(options.VizOrientation.HORIZONTAL)
        panel = panel.display_mode(options.BarGaugeDisplayMode.BASIC).color_scheme(_color(self)).min(0)
        return panel.show_unfilled(True).value_mode(options.BarGaugeValueMode.TEXT)


class Heat(Panel, frozen=True, kw_only=True):
    """How many fell where, over time; its query gives buckets by `le`."""

    def build(self) -> heatmap.Panel:
        """Return it as Grafana's SDK has it."""
        colors = (
            heatmap.HeatmapColorOptions()
            .mode(heatmaps.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .steps(64)
            .exponent(0.5)
        )
        panel = _styled(heatmap.Panel(), self).calculate(False).color(colors)
        return panel.y_axis(heatmap.YAxisConfig().unit(self.unit))


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Words for a stranger."""

    content: str
    title: str = ""
    width: int = 24
    height: int = 3

    def build(self) -> text.Panel:
        """Return it as Grafana's SDK has it."""
        panel = text.Panel().mode(texts.TextMode.MARKDOWN).content(self.content)
        return panel.title(self.title) if self.title else panel.transparent(True)


Any = Stat | Series | Bars | Heat | Note
Built = stat.Panel | timeseries.Panel | bargauge.Panel | heatmap.Panel | text.Panel


def _styled(builder: Dressed, panel: Panel) -> Dressed:
    styled = builder.title(panel.title).description(panel.description).datasource(SOURCE).unit(panel.unit)
    form: Form = "instant" if isinstance(panel, Bars) else "heatmap" if isinstance(panel, Heat) else "range"
    for letter, query in zip(string.ascii_uppercase, panel.targets(), strict=False):
        styled = styled.with_target(query.build(letter, form))
    if panel.unit in DECIMALS and not isinstance(panel, Series):
        styled = styled.decimals(DECIMALS[panel.unit])
    return styled.thresholds(style.thresholds(panel.steps or ((None, style.CALM),)))


def _color(panel: Panel) -> builders.FieldColor:
    if panel.steps:
        return builders.FieldColor().mode(Mode.THRESHOLDS)
    return builders.FieldColor().mode(Mode.FIXED).fixed_color(style.CALM)
