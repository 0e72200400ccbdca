"""Simulate a table: every patient with its own doses, resets, covariates and sampling times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pkmodel.antibody import Immunogenicity
from pkmodel.draws import Draws, Stream
from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError
from pkmodel.nonmem.chunk import CHUNK, Chunk
from pkmodel.nonmem.courses import Courses, courses, rules_of
from pkmodel.nonmem.episodes import Episodes, episodes, routes
from pkmodel.nonmem.table import Table

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A table made ready for a model: everything that does not depend on random effects."""

    table: Table
    model: PopulationModel
    episodes: Episodes
    courses: Courses
    routes: NDArray[np.str_]
    backward: bool  # every covariate by NOCB
    immunogenicity: Immunogenicity | None

    @classmethod
    def of(
        cls,
        table: Table,
        model: PopulationModel,
        rules: Mapping[str, str] | None = None,
        immunogenicity: Immunogenicity | None = None,
    ) -> Plan:
        """Read the events and covariates of a table; see :func:`simulate_table`."""
        found = episodes(table)
        _check_steady(table, model)
        if immunogenicity is not None and found.owner.size > table.ids.size:
            record = int(np.argmax((table.steady > 0) | (table.event > 2)))
            raise InputError.one(
                "resets and steady states have no meaning for a patient's antibodies",
                "write the earlier doses, or simulate without the antibody layer",
                key="EVID" if table.event[record] > 2 else "SS", file=table.file, line=int(table.line[record]),
            )  # fmt: skip
        return cls(
            table=table,
            model=model,
            episodes=found,
            courses=courses(table, rules),
            routes=routes(table, model.structure),
            backward=set(rules_of(table, rules).values()) <= {"nocb"},
            immunogenicity=immunogenicity,
        )

    def etas(self, draws: Draws) -> Floats:
        """(patient, eta) random effects, addressed by ID."""
        return self.model.etas(draws.normal(Stream.ETA, self.table.ids, len(self.model.eta_parameters)))

    def typical(self, threads: int | None = None) -> Floats:
        """(sample,) prediction for a patient without random effects (PRED), mg/L."""
        zero = np.zeros((self.table.ids.size, len(self.model.eta_parameters)))
        return self.levels(Draws(0), zero, occasions=False, threads=threads)

    def levels(self, draws: Draws, etas: Floats, *, occasions: bool = True, threads: int | None = None) -> Floats:
        """(sample,) free drug, mg/L, at all observation records in order of the table."""
        out = np.zeros(self.episodes.sample_record.size)
        for first in range(0, self.table.ids.size, CHUNK):
            Chunk(self, draws, etas, first, occasions).run(out, threads)
        return out


def _check_steady(table: Table, model: PopulationModel) -> None:
    """Steady states are closed forms: refuse them where the model has none."""
    if (model.structure.closed_form and model.structure.absorption == "first-order") or not table.steady.any():
        return
    record = int(np.argmax(table.steady > 0))
    raise InputError.one(
        f"no steady state is computed for a {model.structure} model ('{model.name}')",
        "write the doses that led to it",
        key="SS", file=table.file, line=int(table.line[record]),
    )  # fmt: skip


def simulate_table(
    model: PopulationModel,
    table: Table,
    *,
    seed: int = 1,
    etas: Floats | None = None,
    rules: Mapping[str, str] | None = None,
    immunogenicity: Immunogenicity | None = None,
    threads: int | None = None,
) -> xr.Dataset:
    """Simulate the samples of a table.

    Parameters
    ----------
    model
        Population model; its covariates must be columns of the table.
    table
        From :func:`pkmodel.nonmem.read_table`.
    seed
        Of the random effects, addressed by ID: patient 7 of a table is patient 7 of ``pk.simulate``.
    etas
        (patient, eta) random effects to use instead, in order of ``table.ids``; zeros give the typical prediction. As
        the model has published them: with the antibody layer, that of CL is scaled (``eta_CL_scale``).
    rules
        Covariate to "nocb" (NONMEM's, the default), "locf" or "linear".
    immunogenicity
        The antibody layer; it knows no resets and no steady states.
    threads
        1 for the serial kernel.

    Returns
    -------
    xarray.Dataset
        ``concentration`` (sample) free drug in ug/mL; coordinates ``patient`` (ID), ``time`` (day), ``record`` (row of
        the table). A sample whose record stands before a dose of the same time is a trough; after it, it sees the
        dose.

    Raises
    ------
    InputError
        For missing or impossible covariates, an unknown rule, or resets with the antibody layer.
    """
    import xarray as xr

    plan = Plan.of(table, model, rules, immunogenicity)
    draws = Draws(seed)
    chosen = plan.etas(draws) if etas is None else np.asarray(etas, dtype=np.float64)
    levels = plan.levels(draws, chosen, threads=threads)
    rows = table.samples
    return xr.Dataset(
        {"concentration": ("sample", levels, {"units": "ug/mL", "long_name": "free drug"})},
        coords={
            "patient": ("sample", table.patient[rows]),
            "time": ("sample", table.time[rows], {"units": "day", "long_name": "time of the table"}),
            "record": ("sample", rows),
        },
        attrs={"model": model.name, "drug": model.drug, "seed": seed, "table": table.file},
    )
