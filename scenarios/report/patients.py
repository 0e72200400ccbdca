"""Who the virtual patients were: covariates of those who were simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

_NAMES = {
    "weight": "Body weight",
    "albumin": "Albumin in serum",
    "crp": "C-reactive protein",
    "female": "Women",
    "hla_dqa1_05": "Carriers of HLA-DQA1*05",
}


def patient_rows(result: xr.Dataset) -> list[tuple[str, str]]:
    """Name and distribution of each covariate: percent of flags, median and range of 90 % of everything else."""
    rows = []
    for name in result.data_vars:
        variable = result[name]
        if variable.dims == ("patient",):
            values = variable.values.astype(np.float64)
            unit = str(variable.attrs.get("units", "1"))
            rows.append((_NAMES.get(str(name), str(name)), _distribution(values, "" if unit == "1" else f" {unit}")))
    return rows


def _distribution(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], unit: str) -> str:
    if np.isin(values, (0.0, 1.0)).all():
        return f"{100.0 * values.mean():.0f} %"
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return f"median {middle:.3g}{unit}; 9 in 10 patients between {low:.3g} and {high:.3g}{unit}"
