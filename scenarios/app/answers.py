"""What the server sends: the picture of a setting, one patient, a question with its answer; downloads."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np

from scenarios.app.setting import ARM, Simulated
from scenarios.lesson.summary import summary
from scenarios.readout import choose_window
from scenarios.scoring import score
from scenarios.tables import exact

_LOOK_BACK = 8.0  # weeks before the loss: a usual dosing interval
CAUSES = {
    "antibody": "Antibodies carried the drug away",
    "gone": "The drug was gone, without antibodies",
    "present": "The drug was there all the time: it does not work in this patient any more",
}


def about(done: Simulated) -> dict[str, Any]:
    """What the drawing needs to know beside the numbers."""
    window = choose_window(done.result)
    return {
        "weeks": done.setting.weeks,
        "patients": done.setting.patients,
        "visits": [day / 7.0 for day in done.trial.visits],
        "responds": False,  # a loss is final in this trial
        "window": [window.low, None if math.isinf(window.high) else window.high],
        "lloq": float(done.result.attrs["drug_lloq"]),
    }


def picture(done: Simulated) -> dict[str, Any]:
    """Summary of all patients, as the lessons draw it."""
    return summary(done.result, ARM, choose_window(done.result), demand=done.setting.timing == "episodic")


def scenario_toml(done: Simulated) -> str:
    """A file for `pkmodel run`, with patients and seed."""
    from scenarios.toml_text import toml_text

    comment = "# Built in the app; 'pkmodel run' with this file gives the same numbers.\n"
    return comment + toml_text(done.trial.document)


def scores_csv(done: Simulated) -> str:
    """The score table, as `scores.csv` of a run has it."""
    frame = score(done.result).frame
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.itertuples(index=False):
        writer.writerow([exact(value) for value in row])
    return file.getvalue()


def person(done: Simulated, patient: int) -> dict[str, Any]:
    """One patient: true level by week, and what the laboratory reported at visits."""
    one = done.result.isel(arm=0, patient=patient)
    days = done.result["time"].values
    weekly = np.flatnonzero(days % 7.0 == 0.0)
    reported = one["trough_measured"].values
    return {
        "number": patient,
        "level": [float(f"{level:.3g}") for level in one["concentration"].values[weekly]],
        "reported": [None if math.isnan(level) else float(f"{level:.3g}") for level in reported],
        "sensitive": one["ada_drug_sensitive"].values.tolist(),
        "tolerant": one["ada_drug_tolerant"].values.tolist(),
        "weight": round(float(one["weight"])),
        "responder": bool(one["responder"]),
        "loss": _week(float(one["loss_time"])),
        "onset": _week(float(one["onset_time"])),
    }


def question(done: Simulated, number: int) -> dict[str, Any] | None:
    """The `number`-th patient who lost response, with the cause; None if nobody did.

    Causes go by the truth of the simulation in the 8 weeks before the loss: whether drug fell below what the assay can
    measure, and whether an antibody had formed.
    """
    lost = np.flatnonzero(np.isfinite(done.result["loss_time"].values[0]))
    if not lost.size:
        return None
    asked = person(done, int(lost[number % lost.size]))
    week = asked["loss"]
    first = max(math.ceil(week - _LOOK_BACK), 1)
    levels = asked["level"][first : math.floor(week) + 1]
    lloq = float(done.result.attrs["drug_lloq"])
    lowest = min(levels)
    formed = asked["onset"] is not None and asked["onset"] < week
    cause = "present" if lowest >= lloq else ("antibody" if formed else "gone")
    seen = f"an antibody had formed in week {asked['onset']:.0f}" if formed else "no antibody had formed"
    level = f"fell to {lowest:.2g} µg/mL" if lowest >= lloq else f"fell below {lloq:g} µg/mL, less than can be measured"
    why = f"In the {_LOOK_BACK:g} weeks before the loss in week {week:.0f} the true level {level}, and {seen}."
    return {"person": asked, "causes": CAUSES, "right": cause, "why": why}


def _week(day: float) -> float | None:
    return None if math.isnan(day) else round(day / 7.0, 2)
