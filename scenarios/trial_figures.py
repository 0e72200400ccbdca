"""Pictures of trials: power by size, survival curves, tornado of prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from scenarios.canvas import GREY, INK, LABEL_SIZE, dress, finish, panel_title, panels, percent_axis, style_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scenarios.canvas import Entry
    from scenarios.costs import CostTable
    from scenarios.effects import TrialTable
    from scenarios.power import PowerTable

GOAL = 80.0
LOW_COLOUR, HIGH_COLOUR = "#4477aa", "#cc6677"


def power_curve(table: PowerTable) -> Figure:
    """Power by patients per arm, with 95 % Monte-Carlo intervals and a line at 80 %."""
    frame = table.frame
    figure, (axes,) = panels(1)
    entries: list[Entry] = []
    for number, (arm, rows) in enumerate(frame.groupby("arm", sort=False)):
        style = style_of(number)
        middle = 100.0 * rows["power"]
        error = [middle - 100.0 * rows["low"], 100.0 * rows["high"] - middle]
        handle = axes.errorbar(
            rows["patients_per_arm"], middle, error, color=style.colour, linestyle=style.line, marker=style.marker,
            linewidth=1.8, elinewidth=1.2, clip_on=False, zorder=3,
        )  # fmt: skip
        entries.append((handle, f"{arm} against {rows['against'].iloc[0]}"))
    axes.axhline(GOAL, color=GREY, linewidth=1.0, linestyle=(0, (4, 3)))
    sizes = sorted(set(frame["patients_per_arm"]))
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_xlim(0.0, sizes[-1] * 1.03)
    axes.set_xlabel("Patients per arm", fontsize=LABEL_SIZE, color=INK)
    dress(axes)
    percent_axis(axes, "Power (%)", 100.0)
    caption = (
        f"{table.title}. {frame['trials'].iloc[0]:,} trials of each size from {table.pool:,} virtual patients, seed "
        f"{table.seed}; two-sided level {table.alpha:g}. Bars: 95 % Monte-Carlo interval. Dashed: {GOAL:g} %."
    )
    finish(figure, f"Power: {frame['endpoint'].iloc[0]}", caption, entries)
    return figure


def survival_curves(table: TrialTable) -> Figure | None:
    """Kaplan-Meier curves with 95 % bands, one panel per endpoint; None if no endpoint is a time to an event."""
    if table.curves.empty:
        return None
    names = list(dict.fromkeys(table.curves["endpoint"]))
    figure, axes = panels(len(names))
    entries: dict[str, Entry] = {}
    for panel, name in zip(axes, names, strict=True):
        mine = table.curves[table.curves["endpoint"] == name]
        for number, (arm, rows) in enumerate(mine.groupby("arm", sort=False)):
            style = style_of(number)
            weeks = np.concatenate([[0.0], rows["week"]])
            lines = [100.0 * np.concatenate([[1.0], rows[key]]) for key in ("survival", "low", "high")]
            line = panel.step(
                weeks, lines[0], where="post", color=style.colour, linestyle=style.line, linewidth=1.8, zorder=3
            )[0]
            panel.fill_between(weeks, lines[1], lines[2], step="post", color=style.colour, alpha=0.2, linewidth=0)
            entries[str(arm)] = cast("Entry", (line, str(arm)))
        dress(panel)
        panel_title(panel, name)
        percent_axis(panel, "Without event (%)", 100.0)
        panel.set_xlabel("Weeks since first dose", fontsize=LABEL_SIZE, color=INK)
    caption = "Kaplan-Meier; bands: 95 % interval (Greenwood, log-log). " + ". ".join(table.heading.lines())
    finish(figure, "Time to event", caption, list(entries.values()))
    return figure


def tornado(table: CostTable) -> Figure:
    """How the difference of cost per patient changes with each price, from its low to its high."""
    frame = table.tornado
    arms = list(dict.fromkeys(frame["arm"]))
    figure, axes = panels(len(arms))
    order = list(dict.fromkeys(frame["price"]))
    for panel, arm in zip(axes, arms, strict=True):
        rows = frame[frame["arm"] == arm].set_index("price").loc[order]
        places = np.arange(len(order))[::-1]
        base = rows["base"].iloc[0]
        for end, colour in (("at_low", LOW_COLOUR), ("at_high", HIGH_COLOUR)):
            panel.barh(places, rows[end] - base, left=base, height=0.6, color=colour, zorder=3)
        panel.axvline(base, color=INK, linewidth=1.0, zorder=4)
        dress(panel)
        labels = [
            f"{price} ({row.price_low:g}–{row.price_high:g})"
            for price, row in zip(order, rows.itertuples(), strict=True)
        ]
        panel.set_yticks(places, labels)
        panel.grid(axis="x", color="#e4e4e4", linewidth=0.7)
        against = rows["against"].iloc[0]
        panel_title(panel, f"{arm} minus {against}" if against else str(arm))
        panel.set_xlabel(
            f"Cost per patient ({table.prices.currency} {table.prices.year})", fontsize=LABEL_SIZE, color=INK
        )
    caption = (
        f"Costs in {table.money}. Each bar: one price at its low (blue) and high (red), the others at their values; "
        "line: all at their values. " + ". ".join(table.heading.lines())
    )
    finish(figure, "Cost per patient: one price at a time", caption)
    return figure
