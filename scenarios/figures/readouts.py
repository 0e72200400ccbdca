"""What every picture of a result begins with: its arms as measured, and who the patients are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.allocation import RANDOMISED
from scenarios.readout import ArmReadout, arm_names, readout

if TYPE_CHECKING:
    import xarray as xr

    from pkmodel.windows import TargetWindow


def readouts(result: xr.Dataset, window: TargetWindow) -> list[ArmReadout]:
    """Read-outs of all arms against a window, in the order of the result."""
    return [readout(result, name, window) for name in arm_names(result)]


def on_drug(result: xr.Dataset) -> str:
    """Words of a caption about levels: whose do not count; empty where nobody can switch."""
    return f"Who is on another drug than {result.attrs['drug']} does not count. " if "drug_number" in result else ""


def who(result: xr.Dataset) -> str:
    """Start of a caption: how many patients, of which model and seed."""
    together = "in all, each in one arm" if result.attrs.get("design") == RANDOMISED else "in each arm (the same ones)"
    where = together if len(arm_names(result)) > 1 else "in one arm"
    scenario = f"Scenario {result.attrs['scenario']}, " if "scenario" in result.attrs else ""
    model = f" {result.attrs['model']}," if "model" in result.attrs else ""
    seed = result.attrs.get("seed", "not stated")
    return f"{scenario}n = {result.sizes['patient']:,} virtual patients {where};{model} seed {seed}."
