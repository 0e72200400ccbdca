"""How well a trough, and antibodies, tell who has lost response: the accuracy of both as tests.

A low trough marks a loss of response the better, the more of the losses are for lack of drug and the more steeply
response depends on it; neither is seen in rates of loss. Published accuracy is pooled over studies with different
assays and thresholds, so what is compared is free of thresholds: the sensitivity where specificity is the published
one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from validation.trial import Record

Floats = NDArray[np.float64]

ARM = ("gisbert", "maintenance")
# Freeman 2017, doi:10.1136/bmjopen-2016-014581 (31 studies of Crohn's disease): summary points of infliximab troughs
# and of antibodies to infliximab as tests of lost response, percent
TROUGH_SENSITIVITY, TROUGH_SPECIFICITY = 65.7, 80.6
ANTIBODY_SENSITIVITY, ANTIBODY_SPECIFICITY = 56.0, 79.0
_ASSAY = "older-elisa"  # of most of those years


def accuracy(records: Mapping[tuple[str, str], Record]) -> tuple[float, float]:
    """Sensitivities, percent, of a low trough and of antibodies for loss of response.

    At each infusion after week 14: those who have lost response since the one before, against those who still have it.
    """
    record = records[ARM]
    visits = [column for column in range(record.days.size) if record.days[column] > record.assessment_day]
    titres = record.titres(_ASSAY)
    ill: list[tuple[Floats, Floats]] = []
    well: list[tuple[Floats, Floats]] = []
    before = record.assessment_day
    for column in visits:
        here = record.given[:, column] & record.responder
        if not here.any():
            continue
        lost = here & (record.loss_time > before) & (record.loss_time <= record.days[column])
        kept = here & (record.loss_time > record.days[column])
        for rows, into in ((lost, ill), (kept, well)):
            into.append((record.free[rows, column], titres[rows, column]))
        before = float(record.days[column])
    cases, controls = ([np.concatenate(one) for one in zip(*group, strict=True)] for group in (ill, well))
    return (
        sensitivity(-cases[0], -controls[0], TROUGH_SPECIFICITY),
        sensitivity(cases[1], controls[1], ANTIBODY_SPECIFICITY),
    )


def sensitivity(cases: Floats, controls: Floats, specificity: float) -> float:
    """Share of cases above the threshold that ``specificity`` percent of controls are below, in percent.

    Where many share a value (below the limit of an assay), between the two points of the ROC curve on either side.
    """
    if not cases.size or not controls.size:
        return 50.0
    values = np.unique(np.concatenate([cases, controls]))
    above, falsely = (
        1.0 - np.searchsorted(np.sort(group), values, side="left") / group.size for group in (cases, controls)
    )
    false = 1.0 - specificity / 100.0
    return float(100.0 * np.interp(false, np.append(falsely, 0.0)[::-1], np.append(above, 0.0)[::-1]))
