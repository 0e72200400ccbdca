"""After loss of response: why it was lost, and whether a change brings it back.

At the moment of loss the cause is mechanistic with probability ``lambda_mech / lambda(t)`` (an addressed random
number of the patient decides, the same in every arm); no drug helps against that. Otherwise the loss was for lack of
drug, and response is regained with the probability with which the change would have prevented the loss: the share of
the hazard ``lambda_pk (1 - E)`` that it takes away (the probability of causation, Robins and Greenland 1989,
doi:10.2307/2531765). Both hazards are means over eight weeks, a whole cycle: those before the change, and those before
the judgement twelve weeks after. Whatever the cause and the change, disease may also calm down by itself
(``Response.p_placebo``): on a regimen that does what it did before nobody regains response but by that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream
from pkmodel.response import LACK_OVER, restored
from validation.trial import Record

JUDGED_AFTER = 84.0  # d
LOW_DRUG = 1.4  # mg/L, the commercial assay's lower limit in 2010 (from memory)
# indices within Stream.LOSS; index 0 is the patient's patience
_CAUSE, _REGAIN = 1, 2

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rescue:
    """What was seen of the patients of an arm who lost response and could be followed; arrays (patient,).

    Attributes
    ----------
    judged
        Lost response early enough to be judged.
    level
        Drug as reported at the first infusion after the loss, before it (mg/L; 0 below the limit).
    column
        Number of that day.
    titre
        True antibody then, mg/L of drug-binding capacity.
    level_then
        True free drug when response is judged, mg/L.
    for_lack_of_drug
        The cause is not mechanistic.
    regained
        Response when it is judged.
    """

    judged: Flags
    level: Floats
    column: NDArray[np.int64]
    titre: Floats
    level_then: Floats
    for_lack_of_drug: Flags
    regained: Flags


def rescue(record: Record) -> Rescue:
    """Losses of response in an arm, and what came of them there."""
    rows = np.arange(record.ids.size)
    lost = np.isfinite(record.loss_time)
    after = record.days[None, :] >= np.where(lost, record.loss_time, np.inf)[:, None]
    infusion = after & record.given
    column = np.where(infusion.any(axis=1), infusion.argmax(axis=1), 0)
    due = record.given & (record.days[None, :] >= (record.days[column] + JUDGED_AFTER - 1e-6)[:, None])
    judged = lost & infusion.any(axis=1) & due.any(axis=1)
    at_judgement = due.argmax(axis=1)
    drug = lacks_drug(record)
    share = restored(mean_lack(record, record.days[column]), mean_lack(record, record.days[at_judgement]))
    return Rescue(
        judged=judged,
        level=np.where(judged, record.measured_at(column), 0.0),
        column=column,
        titre=record.antibody_total[rows, column],
        level_then=record.free[rows, at_judgement],
        for_lack_of_drug=drug,
        regained=judged & (drug & (_uniform(record, _REGAIN) < share) | _subsides(record)),
    )


def lacks_drug(record: Record) -> Flags:
    """Where response was lost for lack of drug, not for a mechanistic reason; False where it was not lost."""
    response = record.parameters.response[record.drug]
    lost = np.isfinite(record.loss_time)
    moment = np.where(lost, record.loss_time, record.days[-1])
    level = np.array([np.interp(t, record.days, row) for t, row in zip(moment, record.effect, strict=True)])
    hazard = response.lambda_mech + response.lambda_pk * (1.0 - level)
    return np.asarray(lost & (_uniform(record, _CAUSE) * hazard >= response.lambda_mech))


def regains_on(record: Record, found: Rescue, other: Record) -> Flags:
    """Response of ``record``'s patients twelve weeks after a change to the drug of ``other`` (same patients).

    ``other`` begins without any effect; what is left of the first drug's, which fades with its half-life t_e, is added
    (the effect's equation is linear in the effect).
    """
    column = found.column
    before = mean_lack(record, record.days[column])
    half_life = record.parameters.response[record.drug].t_e
    left = (2.0 ** (-(JUDGED_AFTER - LACK_OVER) / half_life) - 2.0 ** (-JUDGED_AFTER / half_life)) * half_life
    carried = record.effect[np.arange(column.size), column] * left / (math.log(2.0) * LACK_OVER)
    share = restored(before, mean_lack(other, np.full(column.size, JUDGED_AFTER)) - carried)
    return np.asarray(lacks_drug(record) & (_uniform(record, _REGAIN) < share) | _subsides(record))


def mean_lack(record: Record, until: Floats) -> Floats:
    """Mean of 1 - E over the eight weeks before each patient's day ``until``; all arrays (patient,)."""
    since = np.maximum(until - LACK_OVER, 0.0)
    ends = np.array(
        [np.interp([t, u], record.days, row) for t, u, row in zip(since, until, record.hazard, strict=True)]
    )
    span = np.maximum(until - since, 1e-6)
    return record.parameters.response[record.drug].missing(ends[:, 1] - ends[:, 0], span) / span


def group(record: Record, found: Rescue, name: str, family: str) -> Flags:
    """Those judged who had "antibody" (by an assay family) or "low drug" without antibody when they lost response."""
    positive = record.read(family)[np.arange(record.ids.size), found.column]
    if name == "antibody":
        return np.asarray(found.judged & positive)
    return np.asarray(found.judged & ~positive & (found.level < LOW_DRUG))


def _subsides(record: Record) -> Flags:
    """Who has lost response, and whose disease then calms down by itself."""
    response = record.parameters.response[record.drug]
    calm = response.subsides(np.zeros(record.ids.size, np.int64), record.ids, Draws(record.seed))
    return np.asarray(calm & np.isfinite(record.loss_time))


def _uniform(record: Record, index: int) -> Floats:
    return Draws(record.seed).uniform(Stream.LOSS, record.ids, 1, first=index)[:, 0]
