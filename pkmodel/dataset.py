"""The one place that builds labelled results of a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.patients import Patients

if TYPE_CHECKING:
    import xarray as xr

_VARIABLES = (
    ("concentration", "ug/mL", "free drug"),
    ("antibody_free", "ug/mL", "antibody not bound to drug, as drug-binding capacity"),
    ("antibody_total", "ug/mL", "antibody, free and bound, as drug-binding capacity"),
    ("clearance", "L/day", "clearance that the total drug sees"),
)


def trajectories(
    out: NDArray[np.float64],
    days: NDArray[np.float64],
    model: PopulationModel,
    patients: Patients,
    *,
    seed: int,
    immunogenicity: Immunogenicity | None,
    assays: Sequence[Any] | None,
    draws: Draws,
) -> xr.Dataset:
    """Dataset of :func:`pkmodel.simulate`; ``out`` is (patient, time, 4), or (patient, time, 1) without antibody."""
    import xarray as xr

    kept = _VARIABLES if immunogenicity is not None else _VARIABLES[:1]
    variables: dict[str, Any] = {
        name: (("patient", "time"), out[:, :, k], {"units": unit, "long_name": text})
        for k, (name, unit, text) in enumerate(kept)
    }
    for number, assay in enumerate(assays or ()):
        variables.update(_reported(assay, number, out, patients, draws))
    attrs = {"model": model.name, "drug": model.drug, "seed": seed}
    if immunogenicity is not None:
        attrs["immunogenicity"] = f"{immunogenicity.name} ({immunogenicity.status})"
    return xr.Dataset(
        variables,
        coords={
            "patient": ("patient", patients.ids),
            "time": ("time", days, {"units": "day", "long_name": "time since the first dose"}),
        },
        attrs=attrs,
    )


def _reported(assay: Any, number: int, out: NDArray[np.float64], patients: Patients, draws: Draws) -> dict[str, Any]:
    """What an assay would have reported at every output time; the samples' noise is addressed by time index."""
    from pkmodel.assay import DrugAssay

    samples = out.shape[1]
    dims = ("patient", "time")
    label = assay.name.replace("-", "_")
    if isinstance(assay, DrugAssay):
        z = draws.normal(Stream.DRUG_ASSAY, patients.ids, 2 * samples).reshape(len(patients), samples, 2)
        value, blq = assay.measure(out[:, :, 0], z[:, :, 0], z[:, :, 1])
        return {
            f"measured_{label}": (
                dims,
                value,
                {"units": "ug/mL", "long_name": f"drug as reported by {assay.name}"},
            ),
            f"blq_{label}": (
                dims,
                blq.astype(np.int8),
                {"long_name": "1: below the lower limit of quantification"},
            ),
        }
    z = draws.normal(Stream.ADA_ASSAY, patients.ids, samples, first=number * samples)
    code, titre = assay.read(out[:, :, 0], out[:, :, 1], out[:, :, 2], z)
    meanings = {
        "flag_values": np.array([0, 1, 2], np.int8),
        "flag_meanings": "negative positive inconclusive",
    }
    return {
        f"result_{label}": (dims, code, {"long_name": f"antibody by {assay.name}", **meanings}),
        f"titre_{label}": (dims, titre, {"units": "ug/mL", "long_name": f"titre by {assay.name}"}),
    }
