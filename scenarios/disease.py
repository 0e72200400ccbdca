"""Response: who has it, who loses it, who gains it again. The truth that a clinic sees as symptoms.

Primary response and its loss are those of :mod:`pkmodel.response`. What comes after a loss follows the rule by which
the validation report judges rescue (``validation/rescue.py``):

- The cause of a loss is mechanistic with probability ``lambda_mech / lambda``, with the hazard of the decision day that
  finds the loss (the first one after it, before any dose of that day); no drug of the class helps against that.
  Otherwise the loss was for lack of drug.
- Lost response is judged again ``regain_after`` days after the loss is found, and after changes of treatment with the
  same drug: that much after the first one since it was judged last, and after the last one. However often treatment is
  changed, judgements are no further apart. After a switch it is judged on the assessment day of the new drug.
- Response lost for lack of drug is then regained with the share of the missing effect that has been restored
  (:func:`pkmodel.response.restored`). What is missing is the mean of ``1 - E`` over the eight weeks before the loss is
  found and before it is judged, under whatever drug.
- With ``regain_after`` disease may also calm down by itself (``p_placebo``), whatever the cause and whatever is done:
  one chance for each loss, seen when response is judged next. So a change of treatment is no better than none for being
  a change. (A drug of another class needs no such chance: its ``p_max E`` is of patients who improve, for whatever
  reason.)
- Who never responded does so with probability ``p_max E(C_e)``, by the same uniform number as at first: what was
  mechanistic stays so within the class.
- A drug of another class meets the patient anew, with numbers of its own.

Response that was regained is lost by the same hazard, with a new unit exponential. All of this is assumption where it
goes beyond the first loss.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pkmodel.draws import Draws, Stream, moment
from pkmodel.kernels import layout as at
from pkmodel.response import LACK_OVER, restored
from scenarios.drug_class import class_number
from scenarios.therapy import Therapy, carry_effect
from scenarios.visit import Codes, Flags, Floats


class Disease:
    """The course of response in one arm; arrays (patient,).

    Attributes
    ----------
    responder
        Primary response to the scenario's drug.
    responding
        Response now, of whatever drug.
    judged
        Response was judged at least once.
    first_loss
        Day of the first loss of response; infinite: none.
    losses, regained
        All losses as (rows, days, whether for lack of drug), and all returns as (rows, day).
    """

    def __init__(
        self, therapies: Sequence[Therapy], ids: NDArray[np.int64], draws: Draws, regain_after: float | None
    ) -> None:
        n = ids.size
        self.therapies, self.ids, self.draws, self.regain_after = therapies, ids, draws, regain_after
        self.assessment_day = therapies[0].drug.response.assessment_day
        self.lags = [therapy.drug.response.lags(ids, draws) for therapy in therapies]
        self.classes = np.array([class_number(therapy.drug.name) for therapy in therapies], np.int8)
        self.responder = np.zeros(n, np.bool_)
        self.responding = np.zeros(n, np.bool_)
        self.judged = np.zeros(n, np.bool_)
        self.ever = np.zeros(n, np.bool_)  # has responded to something
        self.first_loss = np.full(n, math.inf)
        self.losses: list[tuple[NDArray[np.intp], Floats, Flags]] = []
        self.regained: list[tuple[NDArray[np.intp], float]] = []
        self.judge_on = np.full(n, math.inf)
        self.judge_last = np.full(n, -math.inf)  # the judgement that the last change of treatment asks for
        self.lacked_drug = np.zeros(n, np.bool_)
        self.n_losses = np.zeros(n, np.int64)
        self.calms = np.zeros(n, np.bool_)  # the present loss will have passed by itself at the next judgement
        self.lost_class = np.full(n, -1, np.int8)  # class of the drug under which response was lost last
        self.began = np.zeros(n)  # day on which the present drug was begun
        self.lack_at_loss = np.zeros(n)
        self.lack = Lack(therapies, n) if regain_after is not None or len(therapies) > 1 else None

    def follow(self, day: float, drug: Codes) -> None:
        """Losses up to today, and judgements that are due."""
        if self.lack is not None:
            self.lack.add(day, drug)
        if day == self.assessment_day:
            self._first_judgement(drug)
        for number, therapy in enumerate(self.therapies):
            self._losses(therapy, self.responding & (drug == number), day)
        if (self.judge_on <= day).any():
            for number in range(len(self.therapies)):
                self._judge_again(number, (self.judge_on <= day) & (drug == number), day)

    def relapsed(self, day: float, drug: Codes) -> Flags:
        """Whose disease has come back because the drug has been gone for the patient's own time."""
        since = np.empty(drug.size)
        lag = np.empty(drug.size)
        for number, therapy in enumerate(self.therapies):
            mine = drug == number
            since[mine] = therapy.state.values[mine, at.BELOW_SINCE]
            lag[mine] = self.lags[number][mine]
        return np.asarray(np.maximum(since, self.began) + lag <= day)

    def lost(self) -> Flags:
        """Once a responder, now without response."""
        return np.asarray(self.ever & ~self.responding)

    def absent(self) -> Flags:
        """Response was judged and there has been none."""
        return np.asarray(self.judged & ~self.ever)

    def changed(self, rows: Flags, day: float) -> None:
        """Treatment with the same drug was changed: whoever has no response is judged again some time later."""
        if self.regain_after is not None:
            self._ask(rows & self.judged & ~self.responding, day + self.regain_after)

    def switched(self, rows: Flags, day: float, before: Codes, drug: Codes) -> None:
        """Another drug was begun: responders keep what is left of their patience, the others are judged anew."""
        if not rows.any():
            return
        self.began = np.where(rows, day, self.began)
        for number, therapy in enumerate(self.therapies):
            mine = rows & (drug == number)
            assessment = therapy.drug.response.assessment_day
            anew = mine & ~self.responding
            self.judge_on = np.where(anew, math.inf, self.judge_on)  # what was due is not seen under the old drug
            self._ask(anew, day + assessment)
            for old, source in enumerate(self.therapies):
                kept = mine & self.responding & (before == old)
                carry_effect(source, therapy, np.flatnonzero(mine & (before == old)), day)
                left = source.state.values[kept, at.LOSS_TARGET] - source.state.values[kept, at.LOSS_HAZARD]
                therapy.state.values[kept, at.LOSS_TARGET] = therapy.state.values[kept, at.LOSS_HAZARD] + left
                therapy.state.values[kept, at.LOSS_TIME] = math.inf
        for old, source in enumerate(self.therapies):  # nothing can be lost under a drug that was left
            away = rows & (drug != old)
            source.state.values[away, at.LOSS_TARGET] = math.inf

    def _ask(self, rows: Flags, day: float) -> None:
        """Response is to be judged on ``day``, and before that where it was due before."""
        self.judge_on = np.where(rows, np.minimum(self.judge_on, day), self.judge_on)
        self.judge_last = np.where(rows, day, self.judge_last)

    def _first_judgement(self, drug: Codes) -> None:
        """Primary response today; responders begin to be at risk of losing it."""
        therapy = self.therapies[0]
        values = therapy.state.values
        here = drug == 0
        self.responder = therapy.drug.response.responds(values[:, at.EFFECT], self.ids, self.draws) & here
        patience = self.draws.exponential(Stream.LOSS, self.ids)[:, 0]
        values[:, at.LOSS_TARGET] = np.where(self.responder, values[:, at.LOSS_HAZARD] + patience, math.inf)
        self.responding |= self.responder
        self.ever |= self.responder
        self.judged |= here

    def _losses(self, therapy: Therapy, at_risk: Flags, day: float) -> None:
        """Take down losses since the last decision day, each on its own day, and draw their causes.

        The engine keeps the time of a loss but not the effect at that time. The effect of today stands for it: most
        often it has fallen since, so that the share for lack of drug comes out somewhat high, by more where decision
        days are further apart; ``review_every`` bounds the distance.
        """
        times = therapy.state.values[:, at.LOSS_TIME]
        rows = np.flatnonzero(at_risk & np.isfinite(times))
        if not rows.size:
            return
        self.responding[rows] = False
        self.first_loss[rows] = np.minimum(self.first_loss[rows], times[rows])
        response, kind = therapy.drug.response, class_number(therapy.drug.name)
        effect = therapy.state.values[rows, at.EFFECT]
        hazard = response.lambda_mech + response.lambda_pk * (1.0 - effect)
        uniform = self.draws.uniform(Stream.LOSS, self.ids[rows], 1, first=1 + 2 * kind)[:, 0]
        self.lacked_drug[rows] = uniform * hazard >= response.lambda_mech
        self.lost_class[rows] = kind
        if self.lack is not None:
            self.lack_at_loss[rows] = self.lack.mean()[rows]
        if self.regain_after is not None:
            self.calms[rows] = response.subsides(self.n_losses[rows], self.ids[rows], self.draws)
            self.judge_on[rows] = self.judge_last[rows] = day + self.regain_after
        self.n_losses[rows] += 1
        self.losses.append((rows, times[rows].copy(), self.lacked_drug[rows].copy()))

    def _judge_again(self, number: int, due: Flags, day: float) -> None:
        """Response of those who have none; ``due`` are on drug ``number``."""
        rows = np.flatnonzero(due & ~self.responding)
        self.judge_on = np.where(due, np.where(self.judge_last > day, self.judge_last, math.inf), self.judge_on)
        if not rows.size:
            return
        therapy, kind = self.therapies[number], int(self.classes[number])
        response, values, ids = therapy.drug.response, therapy.state.values, self.ids[rows]
        effect = values[rows, at.EFFECT]
        assert self.lack is not None  # else nothing is ever judged again
        share = restored(self.lack_at_loss[rows], self.lack.mean()[rows])
        again = self.draws.uniform(Stream.LOSS, ids, 1, first=2 + 2 * kind)[:, 0] < share
        anew = self.draws.uniform(Stream.RESPONSE, ids, 1, first=kind)[:, 0] < response.p_max * effect
        regained = np.where(self.lost_class[rows] == kind, (again & self.lacked_drug[rows]) | self.calms[rows], anew)
        self.calms[rows] = False
        patience = self.draws.exponential(Stream.REGAIN, ids, 1, first=moment(day))[:, 0]
        values[rows, at.LOSS_TIME] = math.inf
        values[rows, at.LOSS_TARGET] = np.where(regained, values[rows, at.LOSS_HAZARD] + patience, math.inf)
        self.responding[rows] = regained
        self.ever[rows] |= regained
        self.judged[rows] = True
        if regained.any():
            self.regained.append((rows[regained], day))


class Lack:
    """Effect that was missing lately: the mean of ``1 - E`` over eight weeks, under the drug of each time."""

    def __init__(self, therapies: Sequence[Therapy], n: int) -> None:
        self.therapies = therapies
        self._hazards = [np.zeros(n) for _ in therapies]
        self._sums = deque([(0.0, np.zeros(n))])  # (day, integral of 1 - E from day 0), eight weeks back

    def add(self, day: float, drug: Codes) -> None:
        """Go on to ``day``; ``drug`` is what each patient has had since the day before."""
        last, total = self._sums[-1]
        if day <= last:
            return
        total = total.copy()
        for number, therapy in enumerate(self.therapies):
            now, mine = therapy.state.values[:, at.LOSS_HAZARD], drug == number
            grown = now[mine] - self._hazards[number][mine]
            total[mine] += therapy.drug.response.missing(grown, day - last)
            self._hazards[number] = now.copy()
        self._sums.append((day, total))
        while self._sums[1][0] <= day - LACK_OVER:
            self._sums.popleft()

    def mean(self) -> Floats:
        """Mean of ``1 - E`` over the last eight weeks (of what there is, where there is less), shape (patient,)."""
        (first, before), (last, total) = self._sums[0], self._sums[-1]
        return np.asarray((total - before) / (last - first))
