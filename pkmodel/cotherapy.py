"""Co-therapy with an immunomodulator: who takes it, when, and how strongly it acts.

Strength runs from 0 to 1. A thiopurine acts through its metabolite 6-TGN, which approaches each patient's own
steady level with a half-life of a week and washes out as slowly; strength follows the level
(:meth:`pkmodel.antibody.Immunogenicity.strength`). Methotrexate has no such level: its strength itself rises and
falls with a half-life of two weeks. Both are carried as weekly steps, so that parameters stay constant between
events. The half-lives and the spread of 6-TGN are assumptions, stated here and in docs/explanation/limits.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws, Stream
from pkmodel.errors import InputError, unknown_name
from pkmodel.kernels import layout as at
from pkmodel.state import Events

# quartiles of 124, 250 and 400 pmol/8e8 red cells and a mean of 326 in 64 patients on a thiopurine and an anti-TNF drug
# (Kelly 2016, ECCO abstract P371): a log SD of 0.87 from the quartiles, 0.73 from mean and median
TGN_MEDIAN = 250.0
TGN_LOG_SD = 0.8
_HALF_LIFE = {"thiopurine": 7.0, "methotrexate": 14.0}  # d, of the rise and the washout; assumption
_STEP = 7.0
_STEPS = 12  # after 12 weeks the rise is complete to better than 2 %; the last step completes it
# indices within Stream.COTHERAPY; never renumber
_SHARE, _TGN = range(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cotherapy:
    """An immunomodulator from ``start`` to ``until`` (days; start may be negative: already established).

    ``share`` is the share of patients who take it, the same patients in every arm.
    """

    drug: str
    start: float = 0.0
    until: float = math.inf
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.drug not in _HALF_LIFE:
            raise unknown_name("immunomodulator", self.drug, _HALF_LIFE)
        if not 0.0 <= self.share <= 1.0:
            raise InputError.one(f"{self.share!r} is not a share", "use 0 to 1", key="share")
        if not self.until > self.start:
            raise InputError.one("stops before it starts", "'until' must be after 'from'", key="until")

    def takers(self, ids: NDArray[np.int64], draws: Draws) -> NDArray[np.bool_]:
        """Which patients take it, shape (patient,)."""
        return np.asarray(draws.uniform(Stream.COTHERAPY, ids, 1, first=_SHARE)[:, 0] < self.share)


def tgn_steady(ids: NDArray[np.int64], draws: Draws) -> NDArray[np.float64]:
    """Each patient's steady 6-TGN level on a thiopurine, pmol/8e8 red cells, shape (patient,)."""
    z = draws.normal(Stream.COTHERAPY, ids, 1, first=_TGN)[:, 0]
    return np.asarray(TGN_MEDIAN * np.exp(TGN_LOG_SD * z))


def strength_events(
    drug: str,
    rows: NDArray[np.int64],
    ids: NDArray[np.int64],
    draws: Draws,
    immunogenicity: Immunogenicity,
    *,
    start: float,
    until: float = math.inf,
    now: float = 0.0,
) -> Events:
    """Weekly steps of the strength for patients ``ids`` in state rows ``rows``.

    Steps before ``now`` collapse into their last one, placed at ``now``.
    """
    if not rows.size:
        return Events.none()
    level = tgn_steady(ids, draws) if drug == "thiopurine" else np.ones(ids.size)
    decay = math.log(2.0) / _HALF_LIFE[drug]
    moments: list[tuple[float, NDArray[np.float64]]] = []
    for k in range(_STEPS + 1):
        share = 1.0 if k == _STEPS else 1.0 - math.exp(-decay * (k + 0.5) * _STEP)
        moments.append((start + k * _STEP, share * level))
    if until < math.inf:
        moments = [moment for moment in moments if moment[0] < until]
        top = moments[-1][1]
        for k in range(_STEPS + 1):
            share = 0.0 if k == _STEPS else math.exp(-decay * (k + 0.5) * _STEP)
            moments.append((until + k * _STEP, share * top))
    past = [moment for moment in moments if moment[0] <= now]
    moments = ([(now, past[-1][1])] if past else []) + [moment for moment in moments if moment[0] > now]
    strengths = [immunogenicity.strength(value) if drug == "thiopurine" else value for _, value in moments]
    count = len(moments)
    return Events(
        row=np.repeat(rows, count),
        time=np.tile([time for time, _ in moments], rows.size),
        kind=np.full(rows.size * count, at.COTHERAPY_SET),
        value=np.stack(strengths, axis=1).ravel(),
        tables=np.empty((0, at.N_THETA)),
    )
