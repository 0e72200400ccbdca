"""A made-up result with the layout of a real one: for tests of whatever reads results.

Plain NumPy; no simulator, so a fault there cannot hide one here.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

LLOQ = 0.3
WEEKS = (0.0, 2.0, 6.0, 14.0, 22.0, 30.0, 38.0, 46.0, 54.0)
SHIFT = {"scheduled": 1.0, "episodic": 0.25, "escalated": 1.6, "combination": 1.3}
LEVEL = np.array([0.0, 22.0, 12.0, 5.0, 4.0, 3.6, 3.4, 3.2, 3.0])


def synthetic(
    patients: int = 200,
    arms: tuple[str, ...] = ("scheduled", "episodic"),
    seed: int = 7,
    drug: str = "infliximab",
    window: str = "taxit",
    dtype: type[np.floating] = np.float64,
) -> xr.Dataset:
    """Result of `patients` in `arms`, correlated within patients, with BLQ, inconclusive and lost values."""
    rng = np.random.default_rng(seed)
    weeks = np.array(WEEKS)
    shape = (len(arms), patients, weeks.size)
    frailty = rng.normal(0.0, 0.7, (patients, 1))
    data = {name: np.empty(shape, dtype) for name in ("trough", "trough_measured", "antibody_total")}
    codes = {name: np.zeros(shape, np.int8) for name in ("trough_blq", "ada_drug_sensitive", "ada_drug_tolerant")}
    per_patient = {name: np.empty(shape[:2]) for name in ("dose_total", "doses", "loss_time", "onset_time")}
    responder = np.empty(shape[:2], bool)
    susceptible = rng.exponential(1.0, patients)
    weight = np.exp(rng.normal(np.log(70.0), 0.18, patients))
    for i, arm in enumerate(arms):
        shift = SHIFT.get(arm, 1.0)
        decline = np.where(weeks > 10, shift, 1.0)
        true = LEVEL * decline * np.exp(frailty + rng.normal(0.0, 0.35, (patients, weeks.size)))
        onset = 700.0 * (0.1 + shift) * susceptible
        titre = np.maximum(weeks * 7 - onset[:, None], 0.0) / 60.0
        true = true * np.exp(-titre / 2)
        measured = true * (1 + 0.1 * rng.normal(size=true.shape)) + 0.05 * rng.normal(size=true.shape)
        blq = measured < LLOQ
        data["trough"][i], data["antibody_total"][i] = true, titre
        data["trough_measured"][i] = np.where(blq, np.nan, measured)
        codes["trough_blq"][i] = blq
        codes["ada_drug_tolerant"][i] = titre > 0.05
        codes["ada_drug_sensitive"][i] = np.where(true < 0.5, titre > 1.0, 2)
        codes["ada_drug_sensitive"][i, :, 0] = 0
        doses = rng.integers(7, 10, patients) - (shift < 1) * rng.integers(1, 4, patients)
        per_patient["doses"][i] = doses
        per_patient["dose_total"][i] = doses * 5.0 * weight
        per_patient["onset_time"][i] = np.where(onset < 378.0, onset, np.nan)
        responder[i] = rng.random(patients) < 0.65 + 0.1 * shift
        loss = 98.0 + susceptible * 700.0 * shift
        per_patient["loss_time"][i] = np.where((loss < 378.0) & responder[i], loss, np.nan)
    chance = np.random.default_rng(seed + 1)  # apart: what was there before keeps its numbers
    counts = {"infusions": per_patient["doses"].astype(np.int64)}
    counts["reactions"] = chance.binomial(counts["infusions"], 0.05)
    counts["tests"] = chance.integers(0, 4, counts["infusions"].shape)
    by_visit, by_patient = ("arm", "patient", "visit"), ("arm", "patient")
    return xr.Dataset(
        {
            **{name: (by_visit, values) for name, values in (data | codes).items()},
            **{name: (by_patient, values) for name, values in per_patient.items()},
            **{name: (by_patient, values) for name, values in counts.items()},
            "responder": (by_patient, responder),
            "weight": (("patient",), weight),
        },
        coords={"arm": list(arms), "patient": np.arange(patients), "visit": weeks},
        attrs={
            "scenario": "scheduled-vs-episodic",
            "title": "Infliximab every 8 weeks, or again at relapse",
            "drug": drug,
            "window": window,
            "model": f"{drug}-made-up",
            "seed": 1,
            "patients": patients,
            "duration_d": 378.0,
            "assessment_d": 98.0,
            "design": "paired",
            "drug_lloq": LLOQ,
            "assay_drug": f"{drug}-elisa",
            "assay_drug_sensitive": "sponsor-bridging",
            "assay_drug_tolerant": "idkmonitor",
        },
    )
