"""How the pictures look: colours, axes, captions; what they show is in `scenarios.figures`.

Arms differ in colour (Okabe and Ito, safe for colour-blind eyes, https://jfly.uni-koeln.de/color/), in line
style and in marker, so the pictures survive a grey printer.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow

    Entry = tuple[Artist | ErrorbarContainer, str]
    """Entry of a legend."""

DPI = 150
INK = "#333333"
GREY = "#8a8a8a"
FAINT = "#7a7a7a"
SHADE = "#f0e442"  # Okabe and Ito's yellow: no arm uses it
STRIP = 0.5
"""The level axis ends at this share of the limit of quantification."""
LEVEL_TICKS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
TITLE_SIZE, LABEL_SIZE, TICK_SIZE, CAPTION_SIZE = 13.0, 11.0, 10.0, 9.0


@dataclass(frozen=True, slots=True)
class Style:
    """How an arm is drawn."""

    colour: str
    line: str | tuple[int, tuple[float, ...]]
    marker: str


STYLES = (
    Style("#0072B2", "-", "o"),
    Style("#D55E00", (0, (5, 2)), "s"),
    Style("#009E73", (0, (1.2, 1.2)), "^"),
    Style("#CC79A7", (0, (6, 2, 1.2, 2)), "D"),
    Style("#E69F00", (0, (3, 1)), "v"),
    Style("#56B4E9", (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)), "P"),
    Style("#000000", (0, (2, 3)), "X"),
)


def style_of(number: int) -> Style:
    """Style of the arm of that number; they repeat after seven."""
    return STYLES[number % len(STYLES)]


def columns_for(count: int) -> int:
    """Panels in a row: at most three, and four as two by two."""
    return count if count <= 3 else (2 if count == 4 else 3)


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """Figure with `count` panels on common axes."""
    from matplotlib.figure import Figure

    columns = columns_for(count)
    rows = -(-count // columns)
    width = {1: 7.5, 2: 10.0}.get(columns, 12.0)
    figure = Figure(figsize=(width, (4.2 if rows == 1 else 3.4) * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    axes: list[Axes] = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    for lowest in axes[max(count - columns, 0) : count]:
        lowest.tick_params(labelbottom=True)  # a panel over a spare place would be left without
    return figure, axes[:count]


def figure_of(axes: Axes) -> Figure:
    """Figure that owns some axes."""
    from matplotlib.figure import Figure

    figure = axes.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise TypeError("the axes belong to no figure")
    return figure


def dress(axes: Axes, *, first: bool = True) -> None:
    """Quiet frame, readable ticks; `first` marks panels that carry the label of the y axis."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(labelsize=TICK_SIZE, colors=INK, color=GREY, which="both")
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.yaxis.label.set_visible(first)
    if first:
        axes.tick_params(labelleft=True)


def week_axis(axes: Axes, weeks: Sequence[float], *, last: bool = True) -> None:
    """Weeks, with ticks at visits as far as they have room; `last` marks panels with nothing below them."""
    span = max(weeks) - min(min(weeks), 0.0)
    inches = axes.get_position().width * figure_of(axes).get_figwidth()
    ticks: list[float] = []
    for week in sorted(weeks, reverse=True):  # from the end: the last visit is the one people quote
        room = span / inches * (0.05 + 0.1 * len(f"{week:g}"))
        if not ticks or ticks[-1] - week >= room:
            ticks.append(week)
    axes.set_xticks(ticks, [f"{week:g}" for week in ticks])
    axes.set_xlim(min(0.0, min(weeks)), max(weeks) + span * 0.03)
    if last:
        axes.set_xlabel("Weeks since first dose", fontsize=LABEL_SIZE, color=INK)


def level_axis(axes: Axes, window: TargetWindow, lloq: float, high: float, *, margin: bool) -> None:
    """Concentration up to `high`, logarithmic, with the window and the limit of quantification.

    `margin` names both at the right edge, outside the data.
    """
    from matplotlib.ticker import NullLocator

    low = lloq * STRIP
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    ticks = [lloq, *(tick for tick in LEVEL_TICKS if 1.5 * lloq <= tick <= high)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("Trough concentration (µg/mL)", fontsize=LABEL_SIZE, color=INK)
    bottom, top = max(window.low, low), min(window.high, high)
    open_end = math.isinf(window.high)  # half the panel would be shaded: paler then
    axes.axhspan(bottom, top, color=SHADE, alpha=0.18 if open_end else 0.38, linewidth=0, zorder=0.5)
    for edge in (window.low, window.high):
        if low < edge < high:
            axes.axhline(edge, color="#a89a00", linewidth=0.9, zorder=0.6)
    axes.axhspan(low, lloq, facecolor="#ededed", edgecolor="#c9c9c9", hatch="////", linewidth=0, zorder=0.4)
    axes.axhline(lloq, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)), zorder=0.6)
    if margin:
        target = f"target: at\nleast {window.low:g}" if open_end else "target\nwindow"
        edge_label(axes, (bottom * top) ** 0.5, target)
        edge_label(axes, (low * lloq) ** 0.5, f"below LLOQ\n({lloq:g} µg/mL)")


def edge_label(axes: Axes, y: float, text: str) -> None:
    """Small words right of the axes, at the height of what they name."""
    axes.annotate(
        text,
        (1.0, y),
        xycoords=("axes fraction", "data"),
        xytext=(5, 0),
        textcoords="offset points",
        fontsize=CAPTION_SIZE,
        color=INK,
        va="center",
        ha="left",
        linespacing=1.05,
        annotation_clip=False,
    )


def percent_axis(axes: Axes, label: str, top: float) -> None:
    """Percent from 0 to `top`, with room for a marker that stands at 100."""
    step = 20 if top > 50 else 10 if top > 20 else 5
    axes.set_yticks(range(0, int(top) + 1, step))
    axes.set_ylim(0.0, top * 1.02)
    axes.set_ylabel(label, fontsize=LABEL_SIZE, color=INK)


def plain(text: str) -> str:
    """Text of a user as it stands: matplotlib would read what is between two dollar signs as a formula."""
    return text.replace("$", r"\$")


def panel_title(axes: Axes, text: str) -> None:
    """Name of a panel."""
    lines = (wrapped for line in text.splitlines() for wrapped in textwrap.wrap(line, 36))
    axes.set_title(plain("\n".join(lines)), loc="left", fontsize=LABEL_SIZE, color=INK, weight="bold")


def own_legend(axes: Axes, entries: Sequence[Entry] | None = None) -> None:
    """Legend below axes that a caller gave, under the label of its weeks; None for what is labelled there.

    Not inside: there it would lie over a curve for some data.
    """
    from matplotlib.transforms import ScaledTranslation

    if entries is None:
        entries = list(zip(*axes.get_legend_handles_labels(), strict=True))
    figure = figure_of(axes)
    inches = axes.get_position().width * figure.get_figwidth()
    axes.legend(
        cast("list[Artist]", [handle for handle, _ in entries]),  # a legend takes containers too
        [plain(text) for _, text in entries],
        loc="upper left",
        bbox_to_anchor=(0.0, 0.0),
        bbox_transform=axes.transAxes + ScaledTranslation(0.0, -0.5, figure.dpi_scale_trans),
        ncols=_legend_columns([text for _, text in entries], inches),
        frameon=False,
        handlelength=3.4,
        borderaxespad=0.0,
    )


def finish(figure: Figure, title: str, caption: str, entries: Sequence[Entry] = ()) -> None:
    """Put title and legend above the panels and the caption below, in room added for them.

    Sizes are counted in lines of text, so that nothing overlaps whatever the length of the names.
    """
    width, height = figure.get_size_inches()
    caption_lines = textwrap.wrap(caption, int((width - 0.4) * 14.5), break_on_hyphens=False)
    columns = _legend_columns([text for _, text in entries], width)
    legend_rows = -(-len(entries) // columns) if entries else 0
    above = 0.40 + 0.24 * legend_rows
    below = 0.12 + 0.175 * len(caption_lines)
    total = height + above + below
    figure.set_size_inches(width, total)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0.005, below / total, 0.99, height / total))  # type: ignore[call-arg]
    edge = 0.12 / width
    figure.text(edge, 1 - 0.1 / total, plain(title), fontsize=TITLE_SIZE, color=INK, weight="bold", va="top", ha="left")
    if entries:
        figure.legend(
            cast("list[Artist]", [handle for handle, _ in entries]),  # a legend takes containers too
            [plain(text) for _, text in entries],
            loc="upper left",
            bbox_to_anchor=(edge * 0.4, 1 - 0.4 / total),
            ncols=columns,
            frameon=False,
            fontsize=TICK_SIZE,
            labelcolor=INK,
            handlelength=3.4,
            borderaxespad=0.0,
        )
    below_all = plain("\n".join(caption_lines))
    figure.text(edge, 0.09 / total, below_all, fontsize=CAPTION_SIZE, color=INK, va="bottom", ha="left")


def settle(figure: Figure) -> None:
    """Lay the figure out for good, with places rounded.

    The solver behind the layout gives last digits that vary from run to run; rounded, equal pictures become equal
    files.
    """
    figure.draw_without_rendering()
    for axes in figure.axes:
        left, bottom, width, height = (round(float(edge), 5) for edge in axes.get_position().bounds)
        axes.set_position((left, bottom, width, height))
    figure.set_layout_engine("none")


def _legend_columns(texts: Sequence[str], width: float) -> int:
    """As many columns as have room: about 11 characters an inch, and a sample of the line before each."""
    longest = max((len(text) for text in texts), default=1)
    return max(1, min(len(texts), int(width / (0.9 + longest / 11.5))))
