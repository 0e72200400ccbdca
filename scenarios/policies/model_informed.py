"""Model-informed dosing: estimate each patient from all levels so far, take the cheapest dose that meets the target.

At every dose that is due in maintenance the patient's parameters are estimated (MAP) from all doses and levels in the
chart, from where the estimate of the visit before left off. Of a grid of doses and intervals it orders the one with
the least drug per year whose trough at steady state lies in the target with the probability asked for; where none
does, the likeliest.

``knowledge`` says what is known of the patient, and is what an arm is compared by: the model of the scenario
("right"), another one, an average of several, or the patient's true parameters ("truth", an oracle that no clinic has).

Antibodies are not estimated: what they do to clearance shows in the levels, and falls to the random effects of
clearance, between patients and (if the model has them) between occasions. The model's own antibody term is left out.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pkmodel import library, units
from pkmodel.errors import InputError, unknown_name
from pkmodel.regimen import resolve_route
from pkmodel.windows import TargetWindow
from scenarios.believing import Believed, believe, known_truth
from scenarios.chart import Chart, Floats
from scenarios.visit import Orders, Visit
from scenarios.whatif.grid import Grid, Limits, load_grid
from scenarios.whatif.steady import choose_by, steady_probabilities

_MET, _OUT_OF_REACH = "target met with the probability asked for", "target out of reach, the likeliest regimen"
_REASONS = {  # by whether the policy is an oracle
    truth: ("", f"by {source}: {_MET}", f"by {source}: {_OUT_OF_REACH}")
    for truth, source in ((False, "estimate"), (True, "the truth"))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInformed:
    """Cheapest dose and interval that meet a target by the patient's own estimate.

    Parameters
    ----------
    target
        Window or floor of the trough as text, "3-7 ug/mL" or ">= 3 ug/mL".
    probability
        With which the trough must lie in it.
    knowledge
        "right": the scenario's model. The name of another model. A list of models: an average, weighted by how well
        each explains the levels. "truth": the true parameters; the arm is then labelled as an oracle.
    start
        No change before that day.
    doses
        To choose from; those shipped for the drug if left out.
    intervals
        To choose from.
    max_dose
        Cap on a dose.
    """

    needs_levels: ClassVar[bool] = True
    needs_chart: ClassVar[bool] = True
    target: str
    probability: float = 0.8
    knowledge: str | Sequence[str] = "right"
    start: str = "0 weeks"
    doses: Sequence[str] | None = None
    intervals: Sequence[str] = ("4 weeks", "6 weeks", "8 weeks", "10 weeks", "12 weeks")
    max_dose: str = "10 mg/kg"
    oracle: bool = field(init=False, repr=False)
    _window: TargetWindow = field(init=False, repr=False, compare=False)
    _start_d: float = field(init=False, repr=False, compare=False)
    _days: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _doses: tuple[units.Amount, ...] | None = field(init=False, repr=False, compare=False)
    _cap: units.Amount = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.probability < 1.0:
            raise InputError.one(f"probability {self.probability!r}", "give one between 0 and 1", key="probability")
        known = self.knowledge
        if not isinstance(known, str) and (len(set(known)) < 2 or "truth" in known):
            problem = f"an average of {', '.join(map(str, known)) or 'nothing'}"
            raise InputError.one(problem, "name two or more models, each once", key="knowledge")
        for key in ("doses", "intervals"):
            if getattr(self, key) is not None and not len(getattr(self, key)):
                raise InputError.one("a grid without doses or intervals", "name at least one of each", key=key)
        low, high = units.window(self.target)
        object.__setattr__(self, "oracle", known == "truth")
        object.__setattr__(self, "_window", TargetWindow(name="target", drug="", low=low, high=high))
        object.__setattr__(self, "_start_d", units.time_d(self.start))
        object.__setattr__(self, "_days", tuple(units.time_d(one) for one in self.intervals))
        object.__setattr__(self, "_doses", None if self.doses is None else tuple(map(units.dose, self.doses)))
        object.__setattr__(self, "_cap", units.dose(self.max_dose))
        for name in sorted(set(self.models("right")) - {"right"}):
            if name not in library.models():
                raise unknown_name("knowledge", name, ["right", "truth", *library.models()], key="knowledge")

    def models(self, right: str) -> tuple[str, ...]:
        """Names of the models it estimates by, ``right`` being the scenario's; none if it is given the truth."""
        if self.knowledge == "truth":
            return ()
        named = (self.knowledge,) if isinstance(self.knowledge, str) else tuple(self.knowledge)
        return tuple(right if name == "right" else name for name in named)

    def __call__(self, visit: Visit) -> Orders:
        """Estimate and choose for everybody who is due in maintenance; all others go on as planned."""
        rows = self._asked(visit)
        if not rows.size:
            return visit.as_planned()
        assert visit.chart is not None
        chart = visit.chart.take(rows)
        grid = self._grid(visit.drugs[0], chart)
        if self.oracle:
            assert visit.truth is not None
            believed = known_truth(visit.truth[rows], chart)
        else:
            taken = {"immunomodulator": visit.immunomodulator[rows].astype(np.float64)}
            believed = believe(self.models(chart.model), {**chart.covariates, **taken}, chart, visit.drugs[0])
        chances = self._chances(believed, visit.weight[rows], grid, chart)
        choice, options = choose_by(chances, visit.weight[rows], grid, probability=self.probability)
        found = choice.cell >= 0
        per_dose = np.stack([option.milligrams(visit.weight[rows]) for option in options], axis=1)
        every = np.array([option.interval for option in options])
        dose, interval = visit.dose.copy(), visit.interval.copy()
        reason = np.zeros(visit.due.size, np.intp)
        here = rows[found]
        dose[here] = per_dose[found, choice.cell[found]]
        interval[here] = every[choice.cell[found]]
        reason[here] = np.where(choice.met[found], 1, 2)
        return Orders(
            give=visit.due,
            amount=dose,
            dose=dose,
            interval=interval,
            reason=reason,
            reasons=_REASONS[self.oracle],
            notes=_noted(visit.chart.notes, believed.notes, rows, visit.due.size),
        )

    def _asked(self, visit: Visit) -> NDArray[np.intp]:
        """Rows that are decided on today: due in maintenance, with a dose in the chart."""
        assert visit.chart is not None
        if visit.day < self._start_d or not visit.chart.dose_days.shape[1]:
            return np.zeros(0, np.intp)
        asked = visit.due & visit.in_maintenance & (visit.drug == 0) & np.isfinite(visit.chart.dose_days[:, 0])
        return np.flatnonzero(asked)

    def _grid(self, drug: str, chart: Chart) -> Grid:
        shipped = _shipped(drug)
        return replace(
            shipped,
            doses=self._doses or shipped.doses,
            intervals=self._days,
            duration=chart.infusion,
            limits=Limits(max_dose=self._cap),
        )

    def _chances(self, believed: Believed, weight: Floats, grid: Grid, chart: Chart) -> Floats:
        """(patient, cell) probability of the target, averaged over models."""
        route = resolve_route(chart.route, library.load(chart.model).structure, model=chart.model)
        parts = [
            share[:, None] * steady_probabilities(theta, weight, self._window, grid, route=route)
            for share, theta in believed.parts
        ]
        return functools.reduce(np.add, parts)


@functools.cache
def _shipped(drug: str) -> Grid:
    return load_grid(drug)


def _noted(before: tuple[Floats, ...], now: tuple[Floats, ...], rows: NDArray[np.intp], n: int) -> tuple[Floats, ...]:
    """Today's estimates over those of earlier visits; effects of occasions that are new begin at 0."""
    out = []
    for number, z in enumerate(now):
        old = before[number] if number < len(before) else np.zeros((n, 0))
        table = np.zeros((n, max(old.shape[1], z.shape[1])))
        table[:, : old.shape[1]] = old
        table[rows, : z.shape[1]] = z
        out.append(table)
    return tuple(out)
