"""A made-up result with the layout of a real one: for tests of whatever reads results.

Plain NumPy; no simulator, so a fault there cannot hide one here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from pkmodel.units import Amount
from pkmodel.windows import TargetWindow
from scenarios.explaining import Story, Truth
from scenarios.intervals import Share
from scenarios.whatif.grid import Option
from scenarios.whatif.ranking import Cell, Ranking

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
    counts["injections"] = np.zeros_like(counts["infusions"])
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


def synthetic_ledger(result: xr.Dataset) -> pd.DataFrame:
    """Ledger of a made-up algorithm in the columns of a real one: a dose at every visit, results at once."""
    rows = []
    for i, arm in enumerate(result["arm"].values.tolist()):
        for j, patient in enumerate(result["patient"].values.tolist()):
            dose, interval = 350.0, 56.0
            for k, week in enumerate(result["visit"].values.tolist()):
                at = {str(name): values.values[i, j, k] for name, values in result.items() if "visit" in values.dims}
                codes = {name: int(at[name]) for name in ("ada_drug_sensitive", "ada_drug_tolerant")}
                titre = float(at["antibody_total"])
                decision, reason = "continue", "as planned"
                if week >= 14.0 and at["trough_blq"] and codes["ada_drug_tolerant"]:
                    decision, reason = "escalate-dose", "low titre"
                    if titre > 1.5:
                        decision, reason = "switch-within-class", "high titre"
                elif week >= 14.0 and at["trough_measured"] < 2.0:
                    decision, reason = "escalate-interval", "trough below 2 ug/mL"
                dose = dose * 2 if decision == "escalate-dose" and dose < 500 else dose
                rows.append(
                    {
                        "arm": arm, "patient": patient, "day": 7.0 * week, "week": week, "drug": "infliximab",
                        "level_ug_per_mL": at["trough_measured"], "blq": int(at["trough_blq"]), **codes,
                        "titre_ug_per_mL_eq": titre if codes["ada_drug_tolerant"] else np.nan,
                        "symptoms": int(week >= 14.0 and bool(at["trough_blq"])), "sampled_day": 7.0 * week,
                        "decision": decision, "reason": reason, "dose_mg": dose, "interval_d": interval,
                        "next_dose_mg": dose,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def synthetic_ranking(seed: int = 7) -> Ranking:
    """A made-up search of four doses and four intervals, large doses not allowed."""
    rng = np.random.default_rng(seed)
    cells = []
    for value in (200.0, 300.0, 500.0, 700.0):
        for interval in (28.0, 42.0, 56.0, 70.0):
            hit = rng.random(200) < 1 / (1 + np.exp(4.0 - 0.3 * (1.0 + 0.2 * (seed - 7)) * value / interval))
            probability = Share(event=hit).interval().times(0.01)
            cells.append(
                Cell(
                    option=Option(dose=Amount(value, False), interval=interval), hit=hit, probability=probability,
                    below=0.0, above=0.0, share=0.5, next_share=0.5, median=4.0,
                    drug=value / interval * 365.25, antibody_risk=0.1, cost=1.0,
                    refused="above the largest dose" if value > 600.0 else "",
                )
            )  # fmt: skip
    cells.sort(key=lambda cell: (cell.refused, -cell.probability.estimate))
    return Ranking(
        cells=tuple(cells), today=Option(dose=Amount(300.0, False), interval=56.0), probability=0.5, met=True,
        coming=3,
        target=TargetWindow(name="target", drug="infliximab", low=4.0, high=7.0), who="200 virtual patients",
        model="a made-up model",
    )  # fmt: skip


def synthetic_story(seed: int = 7) -> Story:
    """A made-up patient: antibodies, a switch in week 30, response lost and found again."""
    fall = 0.05 * (1.0 + 0.5 * (seed - 7))
    days = np.arange(0.0, 378.0, 0.5)
    first = np.where(days < 210.0, 60.0 * np.exp(-fall * (days % 56.0)) + 1e-3, 1e-3)
    second = np.where(days >= 210.0, 10.0 * np.exp(-fall * (days % 14.0)), 0.0)
    rows = []
    for day in (0.0, 14.0, 42.0, 98.0, 154.0, 210.0, 224.0, 238.0, 252.0):
        old, low = day < 210.0, day == 154.0
        rows.append(
            {
                "week": day / 7.0, "drug": "infliximab" if old else "adalimumab", "dose_mg": 350.0 if old else 80.0,
                "sampled_day": day, "level_ug_per_mL": None if low else 60.0 * np.exp(-56.0 * fall),
                "titre_ug_per_mL_eq": 1.0 if low else None,
                "decision": "switch-within-class" if day == 210.0 else "continue",
            }
        )  # fmt: skip
    return Story(
        scenario="made-up", arm="reactive $_$ TDM", patient=2, seed=seed, covariates={"weight": 70.0},
        rows=tuple(rows), drugs=("infliximab", "adalimumab"), days=days, levels=np.array([first, second]),
        antibody=np.array([np.maximum(days - 100.0, 0.0) * fall, 0.0 * days]), samples=((14.0, 3.0), (30.0, None)),
        lloq=LLOQ, duration=378.0, left=False,
        truth=Truth(
            onset={"infliximab": 100.0, "adalimumab": None}, responder=True, losses=((150.0, True),), regained=(240.0,)
        ),
    )  # fmt: skip


def synthetic_evidence() -> pd.DataFrame:
    """Published figures and predictions of every role, one without interval, one missed."""
    roles = ["calibration", "calibration", "validation", "validation", "same-cohort", "context"]
    published = np.array([15.0, 62.0, 43.0, 8.0, 30.0, 3.4])
    frame = pd.DataFrame(
        {
            "label": [f"study {k} (READ)" for k in range(6)],
            "unit": ["percent"] * 5 + ["µg/mL"],
            "role": roles,
            "published": published,
            "low": published * 0.8,
            "high": published * 1.2,
            "accept_low": published * 0.75,
            "accept_high": published * 1.3,
            "predicted": published * np.array([1.02, 0.95, 1.6, 1.1, 0.9, 1.05]),
            "predicted_low": published * 0.85,
            "predicted_high": published * 1.7,
            "met": [True, True, False, True, True, True],
        }
    )
    frame.loc[4, ["low", "high", "accept_low", "accept_high"]] = np.nan
    return frame
