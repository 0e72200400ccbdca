"""From the text of a table to a :class:`Table`, or to the list of everything that is wrong with it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from pkmodel.drug import PopulationModel
from pkmodel.errors import InputError, PkWarning
from pkmodel.nonmem.findings import Lint, event_codes
from pkmodel.nonmem.lint import lint
from pkmodel.nonmem.reading import RawTable, read_raw
from pkmodel.nonmem.table import OBSERVATION, Table


def check_table(path: str | Path, *, time_unit: str | None = None, model: PopulationModel | None = None) -> Lint:
    """Everything that is wrong or odd in a table; see :func:`read_table` for the parameters.

    Raises
    ------
    InputError
        If the file is no table at all (no header, no records, a time without unit).
    """
    return lint(read_raw(path, time_unit), model)


def read_table(path: str | Path, *, time_unit: str | None = None, model: PopulationModel | None = None) -> Table:
    """Read a NONMEM-style table.

    Parameters
    ----------
    path
        CSV file, UTF-8, one record per row; see docs/reference/tables.md for the columns.
    time_unit
        Unit of a bare TIME ("d", "h", "weeks"); it is declared, never guessed.
    model
        What the table is for: compartments and covariates are then judged too.

    Raises
    ------
    InputError
        With every fault, each with row and column. Warnings are told as :class:`~pkmodel.errors.PkWarning`.
    """
    raw = read_raw(path, time_unit)
    found = lint(raw, model)
    if found.faults:
        raise InputError(found.faults)
    for warning in found.warnings:
        warnings.warn(str(warning), PkWarning, stacklevel=2)
    return build(raw)


def build(raw: RawTable) -> Table:
    """The table of a faultless file."""
    event = event_codes(raw)
    rate, amount = raw.zero("RATE"), raw.zero("AMT")
    stated = raw.get("DUR")
    with np.errstate(divide="ignore", invalid="ignore"):
        duration = np.where(
            np.isnan(stated), np.where(rate > 0, amount / rate, 0.0), stated
        )  # RATE -2: the model's own
    sample = event == OBSERVATION
    used = sample & (raw.zero("MDV") == 0)
    censored = raw.zero("CENS") == 1
    below = used & ((raw.zero("BLQ") == 1) | censored)
    level, lloq = raw.get("DV"), raw.get("LLOQ")
    # Monolix writes the limit into DV where CENS is 1
    lloq = np.where(censored & np.isnan(lloq), level, lloq)
    return Table(
        file=raw.file,
        line=raw.line,
        patient=raw.get("ID").astype(np.int64),
        time=raw.get("TIME"),
        amount=amount,
        duration=duration,
        event=event,
        compartment=raw.zero("CMT").astype(np.int64),
        additional=raw.zero("ADDL").astype(np.int64),
        interval=raw.zero("II"),
        steady=raw.zero("SS").astype(np.int64),
        level=np.where(used & ~below, level, np.nan),
        lloq=lloq,
        below=below,
        used=used,
        covariates={name: raw.get(name) for name in raw.covariates},
    )
