"""The report's pictures: SVG inside the page, each with a text that says what it shows."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.page import digits, window_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow
    from scenarios.tables import ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure ready for the page.

    Attributes
    ----------
    title, lead
        Heading, and what to look for.
    source
        "data:" address with the whole picture.
    alt
        For those who do not see it: the numbers it is about.
    """

    title: str
    lead: str
    source: str
    alt: str


def pictures(
    result: xr.Dataset, window: TargetWindow, scores: ScoreTable, drawn: Mapping[str, Figure]
) -> list[Picture]:
    """Pictures of a result, drawn unless they are among those already `drawn` (by name of their function)."""
    from scenarios import figures
    from scenarios.canvas import settle

    heading = scores.heading
    seen = "patients still in the trial" if heading.leaving else "patients"
    on = f" Who is on another drug than {heading.drug} does not count." if heading.switching else ""
    several = result.sizes["arm"] > 1
    last = max((visit for _, _, visit in scores.cells() if visit), key=float)

    def figure(name: str) -> Figure:
        if name in drawn:
            return drawn[name]
        made: Figure = getattr(figures, name)(result, window)
        settle(made)
        return made

    found = [
        Picture(
            title="Drug levels",
            lead="How much drug is left when the sample is taken. The thick line is the patient in the middle; "
            f"yellow is the target window.{on}",
            source=_svg(figure("troughs")),
            alt="Measured troughs by visit with bands of patients. Median at week "
            f"{last}: {_by_arm(scores, 'trough_median', last, ' µg/mL')}.",
        ),
        Picture(
            title="Below, in and above the target window",
            lead=f"Every bar is all {seen}. Yellow is where one would want them: {window_text(window)}.{on}",
            source=_svg(figure("zones")),
            alt=f"Stacked bars by visit. At week {last} in the window: {_by_arm(scores, 'in_window', last, ' %')}; "
            f"below it: {_by_arm(scores, 'below_window', last, ' %')}.",
        ),
        Picture(
            title="Antibodies, as two kinds of assay report them",
            lead="The same blood samples in both. A drug-sensitive assay is blind while drug is in the sample.",
            source=_svg(figure("antibody_incidence")),
            alt="Patients ever antibody-positive by visit. At the end, drug-tolerant assay: "
            f"{_by_arm(scores, 'ada_drug_tolerant', '', ' %')}; drug-sensitive assay: "
            f"{_by_arm(scores, 'ada_drug_sensitive', '', ' %')}.",
        ),
    ]
    if several:
        found.append(
            Picture(
                title="What differs between the arms",
                lead="Each arm has other patients: some of a difference is who they happen to be."
                if heading.randomised
                else "Each patient is compared with himself or herself in the other arm.",
                source=_svg(figure("differences")),
                alt=f"Differences from the first arm with {'' if heading.randomised else 'paired '}intervals; "
                "the second table below has every number.",
            )
        )
    return found


def _by_arm(scores: ScoreTable, metric: str, visit: str, unit: str) -> str:
    cells = scores.cells()
    parts = []
    for arm in scores.arms():
        cell = cells[arm, metric, visit]
        limit = "at or below " if cell.at_limit else ""
        parts.append(f"{arm} {limit}{digits(cell.value, metric, cell)}{unit}")
    return ", ".join(parts)


def _svg(figure: Figure) -> str:
    """The figure as a data address; names inside the file depend on its content alone."""
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "pkmodel"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode("ascii")
