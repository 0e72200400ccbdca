"""Who the virtual patients were: covariates of those who were simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

_NAMES = {
    "weight": "Body weight",
    "albumin": "Albumin in serum",
    "crp": "C-reactive protein",
    "female": "Women",
    "hla_dqa1_05": "Carriers of HLA-DQA1*05, a gene variant that goes with antibodies against the drug",
}
_OF_THE_TRIAL = {"allocation", "leaves"}


def patient_rows(result: xr.Dataset) -> list[tuple[str, str]]:
    """Name and distribution of each covariate: percent of flags, median and range of 90 % of everything else.

    Where patients leave, also how many do; which arm they are in is no covariate.
    """
    rows = []
    for name in result.data_vars:
        variable = result[name]
        if variable.dims == ("patient",) and name not in _OF_THE_TRIAL:
            values = variable.values.astype(np.float64)
            unit = str(variable.attrs.get("units", "1"))
            rows.append((_NAMES.get(str(name), str(name)), _distribution(values, "" if unit == "1" else f" {unit}")))
    if "leaves" in result:
        left = np.isfinite(result["leaves"].values)
        rows.append(("Leave the trial early", f"{np.count_nonzero(left):,} ({_distribution(left)})"))
    return rows


def _distribution(values: np.ndarray[tuple[int, ...], np.dtype[Any]], unit: str = "") -> str:
    if np.isin(values, (0.0, 1.0)).all():
        return f"{100.0 * values.mean():.0f} %"
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return f"median {middle:.3g}{unit}; 9 in 10 patients between {low:.3g} and {high:.3g}{unit}"
