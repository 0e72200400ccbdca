"""What a clinic sees at a visit, and what it orders. A policy is a function from the first to the second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scenarios.chart import Chart

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visit:
    """One visit of all patients; every array has shape (patient,). Nothing here is hidden truth but ``truth``.

    Attributes
    ----------
    day, number
        Day of the visit and its number within the trial.
    weight
        Body weight, kg.
    due
        The patient's plan asks for a dose today, and the patient has come.
    dose, interval
        Planned dose (mg) of today or the next infusion, and days between maintenance doses.
    first_dose, first_interval
        What maintenance of the present drug started with, mg and days: what "double" and "half" refer to.
    in_maintenance
        Induction is over.
    days_since_dose
        Days since the last dose of the present drug; infinite before the first.
    new_result
        A laboratory result has come in since the visit before (or today, where there is no turnaround).
    sampled_day, at_dose
        When the sample of the result in hand was taken (NaN where there is none), and whether for a dose that was
        due (so that its level counts as a trough).
    level, below_lloq
        Drug level of the result in hand, ug/mL (NaN below the limit of quantification, then the flag is set; NaN
        without the flag where there is no result). Of the present drug, as everything here.
    antibody_sensitive, antibody_tolerant
        The two antibody assays: 0 negative, 1 positive, 2 inconclusive, -1 no result.
    titre
        Titre by the drug-tolerant assay, ug/mL of drug-binding capacity; NaN where there is none.
    lost_response
        Once a responder, now without response.
    no_response
        Response was judged and there has been none.
    relapsed
        The disease has come back since the last dose.
    changes, days_since_change
        How often this policy has changed the patient's treatment, and days since it last did (infinite: never).
    drug, drugs
        Number of the present drug in ``drugs``, the names of the arm's drugs; 0 is the scenario's.
    within_class, out_of_class
        Number of the first declared drug the patient has not had yet, of the same class as the present one and of
        another class; -1 where there is none.
    immunomodulator
        One is taken beside the drug.
    paused, stopped
        Dosing is suspended until a restart; it has ended for good.
    chart
        All doses and levels so far, for policies with ``needs_chart``; None for others.
    truth
        (patient, parameter) true parameters of today (:mod:`scenarios.truth`), for policies that declare themselves an
        ``oracle``; None for all others.
    """

    day: float
    number: int
    weight: Floats
    due: Flags
    dose: Floats
    interval: Floats
    first_dose: Floats
    first_interval: Floats
    in_maintenance: Flags
    days_since_dose: Floats
    new_result: Flags
    sampled_day: Floats
    at_dose: Flags
    level: Floats
    below_lloq: Flags
    antibody_sensitive: Codes
    antibody_tolerant: Codes
    titre: Floats
    lost_response: Flags
    no_response: Flags
    relapsed: Flags
    changes: NDArray[np.int64]
    days_since_change: Floats
    drug: Codes
    drugs: tuple[str, ...]
    within_class: Codes
    out_of_class: Codes
    immunomodulator: Flags
    paused: Flags
    stopped: Flags
    chart: Chart | None = None
    truth: Floats | None = None

    @property
    def symptoms(self) -> Flags:
        """Active disease: response lost or never gained, or relapse."""
        return np.asarray(self.lost_response | self.no_response | self.relapsed)

    def as_planned(self) -> Orders:
        """The orders that change nothing."""
        return Orders(give=self.due, amount=self.dose, dose=self.dose, interval=self.interval)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Orders:
    """What happens next; every array has shape (patient,). None means: for nobody.

    Attributes
    ----------
    give, amount
        Whether a dose is given today, and how many mg.
    dose, interval
        The plan from now on: mg of the next maintenance dose and days between doses.
    switch_to
        Number of the drug to go on with, -1 to stay. Its own timetable begins today; ``give``, ``amount``,
        ``dose`` and ``interval`` of the patient are then ignored. Going back to an earlier drug is allowed.
    immunomodulator
        0 leave as is, -1 stop, 1 start what the policy names in its attribute ``immunomodulator``.
    pause, restart, stop
        Suspend dosing; resume it (or, of a patient on treatment, begin induction again where the clinic
        re-induces); end it for good.
    reason, reasons
        Number of each patient's reason in ``reasons``: sentences for the ledger, in which ``{level}`` and
        ``{titre}`` stand for the result in hand ("trough {level}, below the window"). An empty sentence takes the
        ledger's own.
    notes
        What the policy wants to find in the charts of the next visit, arrays (patient, any), for policies with
        ``needs_chart``; None leaves what was noted before. A policy has no other memory: the same visit gets the same
        orders.
    """

    give: Flags
    amount: Floats
    dose: Floats
    interval: Floats
    switch_to: Codes | None = None
    immunomodulator: Codes | None = None
    pause: Flags | None = None
    restart: Flags | None = None
    stop: Flags | None = None
    reason: NDArray[np.intp] | None = None
    reasons: tuple[str, ...] = ("",)
    notes: tuple[Floats, ...] | None = None


class Policy(Protocol):
    """A dosing policy: a frozen dataclass with ``__call__``.

    ``needs_levels`` says whether it wants blood taken at every dose (policies that never look at a level leave
    it False and cost no assays). Optional attributes:

    - ``levels_at_symptoms``, days: blood is taken when symptoms appear and at doses while they last, at least so
      many days after the last sample and the last change of treatment;
    - ``primary_nonresponse``: False if that does not concern those who never responded;
    - ``immunomodulator``, "thiopurine" or "methotrexate": what it starts;
    - ``needs_chart``: it is shown all doses and levels so far, and its own notes;
    - ``oracle``: it is shown the truth. Results of its arm are labelled so.

    One object decides for all chunks of patients and may be called from several threads at once: it must keep and
    change nothing of its own between calls or during one. Notes are what it has for remembering.
    """

    needs_levels: bool

    def __call__(self, visit: Visit) -> Orders:
        """Orders for all patients at this visit."""
        ...
