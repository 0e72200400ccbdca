"""Pictures of results, one file for each kind of picture.

Each function returns a `matplotlib.figure.Figure`; given an `Axes` it draws there instead and returns the figure of
those axes (`story`, `vpc_figure` and `npde_figure` have panels of several kinds and take none). Nothing touches
pyplot, so any number can be drawn at once. Pictures of a result show what was measured, with the numbers of the score
table; where the truth of the simulation is drawn, the picture says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.canvas import DPI, settle
from scenarios.figures.diagnostics import npde_figure, vpc_figure
from scenarios.figures.differences import differences
from scenarios.figures.dose_by_interval import heat_map
from scenarios.figures.evidence import forest
from scenarios.figures.exposure import exposure_response
from scenarios.figures.flow import decision_flow
from scenarios.figures.shares import antibody_incidence, share_in_window
from scenarios.figures.story import story
from scenarios.figures.survival import antibody_free
from scenarios.figures.troughs import troughs
from scenarios.figures.zones import zones

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from pkmodel.windows import TargetWindow

__all__ = [
    "FIGURES",
    "antibody_free",
    "antibody_incidence",
    "decision_flow",
    "differences",
    "exposure_response",
    "forest",
    "heat_map",
    "npde_figure",
    "save_all",
    "share_in_window",
    "story",
    "troughs",
    "vpc_figure",
    "zones",
]

FIGURES = {"troughs.png": troughs, "in_window.png": share_in_window, "antibodies.png": antibody_incidence}
"""The files that every run leaves."""


def save_all(result: xr.Dataset, window: str | TargetWindow | None, directory: str | Path) -> dict[str, Figure]:
    """Write every figure as PNG (150 dots per inch) into an existing directory.

    Returns
    -------
    dict
        The figures by the name of the function that draws them, for whoever needs them again.
    """
    drawn = {}
    for name, draw in FIGURES.items():
        drawn[draw.__name__] = figure = draw(result, window)
        settle(figure)
        # No software entry: the same picture is then the same file, whatever wrote it.
        figure.savefig(Path(directory) / name, dpi=DPI, metadata={"Software": None})
    return drawn
