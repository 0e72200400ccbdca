"""Where the arms of a run write what was seen, and how that becomes a labelled dataset."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels import layout as at
from pkmodel.patients import Patients
from scenarios.reactions import Reactions
from scenarios.scenario import Scenario
from scenarios.versions import versions

if TYPE_CHECKING:
    import xarray as xr

    from scenarios.arm import ArmRun
    from scenarios.setting import Setting


class Store:
    """Preallocated results; a chunk of an arm is written into its slice."""

    def __init__(self, scenario: Scenario, setting: Setting, n: int, keep: str) -> None:
        arms, visits = len(scenario.arms), len(scenario.visits)
        self.scenario, self.setting, self.n = scenario, setting, n
        shape = (arms, n, visits)
        self.by_visit: dict[str, NDArray[Any]] = {
            "trough": np.empty(shape),
            "trough_measured": np.empty(shape),
            "trough_blq": np.empty(shape, np.int8),
            "ada_drug_sensitive": np.empty(shape, np.int8),
            "ada_drug_tolerant": np.empty(shape, np.int8),
            "antibody_total": np.empty(shape),
        }
        self.by_patient: dict[str, NDArray[Any]] = {
            "dose_total": np.empty((arms, n)),
            "doses": np.empty((arms, n), np.int16),
            "responder": np.empty((arms, n), np.bool_),
            "loss_time": np.empty((arms, n)),
            "onset_time": np.empty((arms, n)),
            "tests": np.empty((arms, n), np.int16),
            "infusions": np.empty((arms, n), np.int16),
            "injections": np.empty((arms, n), np.int16),
        }
        others = {one.drug for arm in scenario.arms for one in arm.alternatives} - {scenario.drug}
        self.by_patient |= {f"dose_total_{drug}": np.zeros((arms, n)) for drug in sorted(others)}
        if any(Reactions.for_drug(drug) for drug in {scenario.drug, *others}):
            self.by_patient["reactions"] = np.zeros((arms, n), np.int16)
        self.several_drugs = any(arm.alternatives for arm in scenario.arms)
        if self.several_drugs or scenario.regain_after is not None:
            self.by_visit["responding"] = np.empty(shape, np.int8)
        if self.several_drugs:
            self.by_visit["drug_number"] = np.empty(shape, np.int8)
        self.ids = np.empty(n, np.int64)
        self.covariates: dict[str, NDArray[np.float64]] = {}
        self.trajectories = np.empty((arms, n, len(setting.days))) if keep == "trajectories" else None

    def take_covariates(self, rows: slice, patients: Patients) -> None:
        """Take over who a chunk's patients are."""
        self.ids[rows] = patients.ids
        for name, values in patients.covariates.items():
            self.covariates.setdefault(name, np.empty(self.n))[rows] = values

    def take_arm(self, rows: NDArray[np.int64], number: int, arm: ArmRun) -> None:
        """Take over what ``rows`` met in an arm."""
        for name, target in self.by_visit.items():
            for visit, values in enumerate(arm.seen[name]):
                target[number, rows, visit] = values
        self.by_patient["dose_total"][number, rows] = arm.plan.total[:, 0]
        self.by_patient["doses"][number, rows] = arm.plan.counts[:, 0]
        self.by_patient["responder"][number, rows] = arm.responder
        self._take_use(rows, number, arm)
        onset = arm.state.values[:, at.ONSET_TIME]
        for name, values in (("loss_time", arm.disease.first_loss), ("onset_time", onset)):
            self.by_patient[name][number, rows] = np.where(np.isfinite(values), values, math.nan)
        if self.trajectories is not None:
            self.trajectories[number, rows] = np.stack(arm.free, axis=1)

    def _take_use(self, rows: NDArray[np.int64], number: int, arm: ArmRun) -> None:
        """What was used beside the scenario's drug, and the reactions to it."""
        kept = self.by_patient
        infusions = np.sum([therapy.log.infusions for therapy in arm.therapies], axis=0)
        kept["tests"][number, rows] = arm.results.samples
        kept["infusions"][number, rows] = infusions
        kept["injections"][number, rows] = arm.plan.count - infusions
        if "reactions" in kept:
            kept["reactions"][number, rows] = np.sum([therapy.log.reactions for therapy in arm.therapies], axis=0)
        for column, drug in enumerate(arm.names):
            if f"dose_total_{drug}" in kept:
                kept[f"dose_total_{drug}"][number, rows] += arm.plan.total[:, column]

    def dataset(self, seed: int) -> xr.Dataset:
        """The result, with units and attributes."""
        import xarray as xr

        scenario = self.scenario
        level = {"units": "ug/mL"}
        result = {
            "flag_values": np.array([0, 1, 2], np.int8),
            "flag_meanings": "negative positive inconclusive",
        }
        about: dict[str, dict[str, Any]] = {
            "trough": {**level, "long_name": "true free drug just before any dose"},
            "trough_measured": {**level, "long_name": "drug level as reported; missing below the LLOQ"},
            "trough_blq": {"long_name": "1: reported below the LLOQ"},
            "ada_drug_sensitive": {"long_name": f"antibody by {scenario.assays.drug_sensitive}", **result},
            "ada_drug_tolerant": {"long_name": f"antibody by {scenario.assays.drug_tolerant}", **result},
            "antibody_total": {**level, "long_name": "true antibody, as drug-binding capacity"},
            "responding": {"long_name": "1: response now, to whatever drug"},
            "drug_number": {
                "long_name": "drug in use, a number in the arm's list (attribute 'drugs'); 0: the scenario's"
            },
            "dose_total": {"units": "mg", "long_name": "drug given in the whole period"},
            "doses": {"units": "1", "long_name": "doses given in the whole period"},
            "responder": {"long_name": "primary response at its assessment week"},
            "loss_time": {"units": "day", "long_name": "loss of response; missing if kept to the end"},
            "onset_time": {"units": "day", "long_name": "seroconversion; missing if none"},
            "tests": {"units": "1", "long_name": "samples taken for the policy (drug and antibody)"},
            "infusions": {"units": "1", "long_name": "infusions given, of all drugs"},
            "injections": {"units": "1", "long_name": "injections given, of all drugs"},
            "reactions": {"units": "1", "long_name": "infusions with an acute reaction"},
        }
        for drug in (name.removeprefix("dose_total_") for name in self.by_patient if name.startswith("dose_total_")):
            about[f"dose_total_{drug}"] = {"units": "mg", "long_name": f"{drug} given in the whole period"}
        variables: dict[str, Any] = {
            name: (("arm", "patient", "visit"), values, about[name]) for name, values in self.by_visit.items()
        }
        variables |= {name: (("arm", "patient"), values, about[name]) for name, values in self.by_patient.items()}
        units = {"weight": "kg", "albumin": "g/L", "crp": "mg/L"}
        variables |= {
            name: (("patient",), values, {"units": units.get(name, "1")}) for name, values in self.covariates.items()
        }
        coords: dict[str, Any] = {
            "arm": [arm.name for arm in scenario.arms],
            "patient": self.ids,
            "visit": ("visit", np.array(scenario.visits) / 7.0, {"units": "week"}),
        }
        if self.trajectories is not None:
            coords["time"] = ("time", np.array(self.setting.days), {"units": "day"})
            variables["concentration"] = (
                ("arm", "patient", "time"),
                self.trajectories,
                {**level, "long_name": "free drug just before any dose of the day"},
            )
        return xr.Dataset(variables, coords=coords, attrs=self._attributes(seed))

    def _attributes(self, seed: int) -> dict[str, Any]:
        scenario, setting = self.scenario, self.setting
        layer = setting.immunogenicity
        oracles = [arm.name for arm in scenario.arms if getattr(arm.policy, "oracle", False)]
        drugs = {arm.name: [scenario.drug, *(one.drug for one in arm.alternatives)] for arm in scenario.arms}
        return {
            "scenario": scenario.name,
            "title": scenario.title,
            "question": scenario.question,
            "scenario_toml": scenario.text,
            "drug": scenario.drug,
            "model": scenario.model,
            "cohort": scenario.cohort,
            "immunogenicity": scenario.immunogenicity + (f" ({layer.status})" if layer is not None else ""),
            "window": scenario.window,
            "seed": seed,
            "patients": self.n,
            "duration_d": scenario.duration,
            "assessment_d": setting.response.assessment_day,
            "drug_lloq": setting.laboratory.drug.lloq,
            "assay_drug": scenario.assays.drug,
            "assay_drug_sensitive": scenario.assays.drug_sensitive,
            "assay_drug_tolerant": scenario.assays.drug_tolerant,
            "versions": json.dumps(versions(), sort_keys=True),
            **({"oracles": json.dumps(oracles)} if oracles else {}),
            **({"drugs": json.dumps(drugs)} if self.several_drugs else {}),
        }
