"""The one sentence: the best choice and how sure it is, or that nothing reaches the target."""

from __future__ import annotations

import math

from pkmodel.windows import TargetWindow
from scenarios.intervals import Share
from scenarios.page import window_text
from scenarios.whatif.ranking import Cell, Ranking


def sentence(ranking: Ranking) -> str:
    """What the search found, in one sentence, with Monte-Carlo intervals; it is no prescription."""
    best = ranking.best
    window = bounds_text(ranking.target)
    if best is None:
        return f"No regimen of the grid is allowed: {ranking.cells[0].refused}."
    asked = f"{100 * ranking.probability:g} %"
    if not ranking.met:
        return (
            f"No: no allowed regimen brings the trough {window} with a probability of {asked}; the likeliest is "
            f"{best.option}, with {_percent(best)}{_against(ranking, best)}."
        )
    sure = "" if best.probability.low >= ranking.probability else f" (its interval reaches below {asked})"
    return (
        f"{str(best.option).capitalize()} is the cheapest allowed regimen that brings the trough {window} with a "
        f"probability of at least {asked}: {_percent(best)}{sure}, for {best.drug:,.0f} mg a year"
        f"{_against(ranking, best)}."
    )


def bounds_text(target: TargetWindow) -> str:
    """Where the trough should go: "into 4–7 µg/mL", "to at least 5 µg/mL"."""
    text = window_text(target).partition(", ")[2]
    return f"to {text}" if math.isinf(target.high) else f"into {text}"


def _percent(cell: Cell) -> str:
    got = cell.probability
    return f"{100 * got.estimate:.1f} % ({100 * got.low:.1f}–{100 * got.high:.1f})"


def _against(ranking: Ranking, best: Cell) -> str:
    """The difference to the runner-up on the same patients."""
    other = ranking.runner_up
    if other is None:
        return ""
    gap = Share(event=best.hit).minus(Share(event=other.hit))
    tie = gap.low <= 0.0 <= gap.high
    verdict = "that can be chance" if tie else "more than chance"
    return (
        f"; against the runner-up, {other.option} ({other.drug:,.0f} mg a year), that is "
        f"{gap.estimate:+.1f} ({gap.low:+.1f} to {gap.high:+.1f}) percentage points: {verdict}"
    )
