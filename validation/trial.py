"""Run a study's arms with a set of parameters, and keep what its figures need.

The engine is the one users run (:class:`scenarios.arm.ArmRun`); it is only watched: true free drug and antibody at
every decision day, from which any assay's answer follows afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pkmodel import library
from pkmodel.antibody import Immunogenicity
from pkmodel.assay import AntibodyAssay, DrugAssay, load_antibody_assay, load_drug_assay
from pkmodel.cotherapy import tgn_steady
from pkmodel.draws import Draws, Stream, moment
from pkmodel.kernels import layout as at
from pkmodel.patients import Patients
from pkmodel.response import Response
from scenarios.arm import ArmRun
from scenarios.cohorts import Cohort
from scenarios.observe import Laboratory
from scenarios.setting import Setting, decision_days
from validation.case import Study

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SEED = 2016


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Everything that calibration may change: antibody layer and response by drug, cut-offs by assay family."""

    immunogenicity: Mapping[str, Immunogenicity]
    response: Mapping[str, Response]
    cutoffs: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def shipped(cls) -> Parameters:
        """As shipped with the package."""
        drugs = ("infliximab", "adalimumab")
        return cls(
            immunogenicity={drug: Immunogenicity.load(drug) for drug in drugs},
            response={drug: Response.load(drug) for drug in drugs},
        )

    def assay(self, family: str) -> AntibodyAssay:
        """An antibody assay with the cut-off of these parameters."""
        assay = load_antibody_assay(family)
        return replace(assay, cutoff=self.cutoffs[family]) if family in self.cutoffs else assay


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """What was seen of one arm. Arrays (patient,) or (patient, day); days in ``days``.

    ``hazard`` is that of losing response, accumulated from day 0; ``responding`` says who has response now, also after
    a loss if the scenario has ``regain_after``; ``cotherapy`` who takes an immunomodulator at the first dose.
    """

    drug: str
    ids: NDArray[np.int64]
    seed: int
    days: Floats
    free: Floats
    antibody_free: Floats
    antibody_total: Floats
    effect: Floats
    hazard: Floats
    responding: Flags
    given: Flags
    responder: Flags
    loss_time: Floats
    onset_time: Floats
    cotherapy: Flags
    tgn: Floats
    covariates: Mapping[str, Floats]
    parameters: Parameters
    assessment_day: float
    drug_assay: DrugAssay
    infusions: NDArray[np.int64]
    reactions: NDArray[np.int64]

    def column(self, day: float) -> int:
        """Index of a day."""
        return int(np.searchsorted(self.days, day - 1e-6))

    def titres(self, family: str) -> Floats:
        """Titres (patient, day) an assay family would have reported, mg/L of drug-binding capacity; -1 where none."""
        assay = self.parameters.assay(family)
        kind = 1 if assay.kind == "drug-tolerant" else 0
        draws = Draws(self.seed)
        z = np.empty_like(self.free)
        for number, day in enumerate(self.days):  # the addresses scenarios.observe uses
            z[:, number] = draws.normal(Stream.ADA_ASSAY, self.ids, 1, first=2 * moment(float(day)) + kind)[:, 0]
        titre = assay.read(self.free, self.antibody_free, self.antibody_total, z)[1]
        return np.where(np.isnan(titre), -1.0, titre)

    def read(self, family: str) -> Flags:
        """Where (patient, day) an assay family would have reported a positive sample."""
        return np.asarray(self.titres(family) >= self.parameters.assay(family).cutoff)

    def measured(self, number: int) -> Floats:
        """Drug as reported on day ``number``, mg/L; 0 below the limit of quantification."""
        first = 2 * moment(float(self.days[number]))
        noise = Draws(self.seed).normal(Stream.DRUG_ASSAY, self.ids, 2, first=first)
        level, below = self.drug_assay.measure(self.free[:, number], noise[:, 0], noise[:, 1])
        return np.where(below, 0.0, level)

    def measured_at(self, columns: NDArray[np.int64]) -> Floats:
        """As :meth:`measured`, on a day of each patient's own; ``columns`` (patient,) are numbers of days."""
        level = np.empty(columns.size)
        for number in np.unique(columns):
            mine = columns == number
            level[mine] = self.measured(int(number))[mine]
        return level

    def last_infusion(self, day: float) -> NDArray[np.int64]:
        """Number of the day of each patient's last infusion up to ``day``; what is seen on it is the trough before."""
        until = self.days <= day + 1e-6
        order = np.arange(self.days.size)
        return np.asarray(np.where(self.given & until[None, :], order[None, :], 0).max(axis=1))


class _Watch:
    def __init__(self) -> None:
        self.days: list[float] = []
        self.columns: dict[str, list[NDArray[Any]]] = {
            name: [] for name in ("free", "antibody_free", "antibody_total", "effect", "hazard", "responding", "given")
        }

    def __call__(self, run: ArmRun, number: int, day: float) -> None:
        state = run.state
        self.days.append(day)
        self.columns["free"].append(state.free_drug())
        self.columns["antibody_free"].append(state.antibody_free())
        self.columns["antibody_total"].append(state.antibody_total())
        self.columns["effect"].append(state.values[:, at.EFFECT].copy())
        self.columns["hazard"].append(state.values[:, at.LOSS_HAZARD].copy())
        self.columns["responding"].append(run.disease.responding.copy())
        self.columns["given"].append(run.plan.last_dose == day)


def run_arm(
    study: Study,
    arm: str,
    parameters: Parameters,
    patients: Patients,
    *,
    seed: int = SEED,
    model: str | None = None,
    threads: int | None = None,
) -> Record:
    """Simulate one arm of a study."""
    scenario = study.scenario
    chosen = next(one for one in scenario.arms if one.name == arm)
    response = parameters.response[scenario.drug]
    draws = Draws(seed)
    setting = Setting(
        scenario=scenario,
        model=library.load(model or scenario.model),
        immunogenicity=parameters.immunogenicity[scenario.drug],
        response=response,
        laboratory=Laboratory.load(scenario.assays, scenario.drug),
        draws=draws,
        days=decision_days(scenario, response.assessment_day),
        threads=threads,
    )
    watch = _Watch()
    run = ArmRun(setting, chosen, patients).carry_through(watch=watch)
    values = run.state.values
    columns = {name: np.stack(kept, axis=1) for name, kept in watch.columns.items()}
    return Record(
        drug=scenario.drug,
        ids=patients.ids,
        seed=seed,
        days=np.array(watch.days),
        free=columns["free"],
        antibody_free=columns["antibody_free"],
        antibody_total=columns["antibody_total"],
        effect=columns["effect"],
        hazard=columns["hazard"],
        responding=columns["responding"].astype(np.bool_),
        given=columns["given"].astype(np.bool_),
        responder=run.responder,
        loss_time=values[:, at.LOSS_TIME].copy(),
        onset_time=values[:, at.ONSET_TIME].copy(),
        cotherapy=run.comedication.taken(0.0),
        tgn=tgn_steady(patients.ids, draws),
        covariates=patients.covariates,
        parameters=parameters,
        assessment_day=response.assessment_day,
        drug_assay=load_drug_assay(scenario.assays.drug, drug=scenario.drug),
        infusions=run.therapies[0].log.infusions,
        reactions=run.therapies[0].log.reactions,
    )


Records = dict[tuple[str, str], Record]


def run_arms(
    wanted: Iterable[tuple[str, str]],
    found: Mapping[str, Study],
    parameters: Parameters,
    n: int,
    *,
    seed: int = SEED,
    models: Mapping[str, str] | None = None,
    threads: int | None = None,
) -> Records:
    """Simulate the wanted (study, arm) pairs on ``n`` paired patients of each study's cohort.

    ``models`` replaces PK models by name.
    """
    patients: dict[str, Patients] = {}
    records: Records = {}
    for study, arm in sorted(set(wanted)):
        scenario = found[study].scenario
        if scenario.cohort not in patients:
            patients[scenario.cohort] = Cohort.load(scenario.cohort).sample(n, seed=seed)
        model = (models or {}).get(scenario.model)
        records[study, arm] = run_arm(
            found[study], arm, parameters, patients[scenario.cohort], seed=seed, model=model, threads=threads
        )
    return records
