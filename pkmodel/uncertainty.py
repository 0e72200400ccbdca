"""Parameter sets that fit the calibration figures about equally well.

Quite different sets explain the same published figures. ``python -m validation.calibrate`` keeps some dozens of them,
as many columns of one table: simulate with each to see how far a result depends on what the figures cannot tell.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pkmodel.antibody import Immunogenicity
from pkmodel.assay import AntibodyAssay, load_antibody_assay
from pkmodel.errors import InputError
from pkmodel.response import Response

FILE = Path(__file__).parent / "data" / "calibrated-sets.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """One set.

    Attributes
    ----------
    number
        Its row, from 0.
    immunogenicity, response
        Antibody layer and exposure-response by drug.
    cutoffs
        Cut-off (mg/L of drug-binding capacity) by antibody assay family.
    """

    number: int
    immunogenicity: Mapping[str, Immunogenicity]
    response: Mapping[str, Response]
    cutoffs: Mapping[str, float]

    def assay(self, family: str) -> AntibodyAssay:
        """An antibody assay with this set's cut-off."""
        assay = load_antibody_assay(family)
        return replace(assay, cutoff=self.cutoffs[family]) if family in self.cutoffs else assay


def parameter_sets(file: Path = FILE) -> tuple[ParameterSet, ...]:
    """All sets; columns are ``drug.antibody.parameter``, ``drug.response.parameter`` and ``assay.family.cutoff``.

    Raises
    ------
    InputError
        If there is no such file or a column or number is not understood.
    """
    if not file.exists():
        raise InputError.one("no calibrated sets", "run: python -m validation.calibrate", file=str(file))
    with file.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(line for line in handle if not line.startswith("#")))
    return tuple(_read(number, row, str(file)) for number, row in enumerate(rows))


def _read(number: int, row: Mapping[str, str], file: str) -> ParameterSet:
    changes: dict[tuple[str, str], dict[str, float]] = {}
    for column, text in row.items():
        try:
            first, kind, name = column.split(".")
            changes.setdefault((kind if first != "assay" else "assay", first if first != "assay" else ""), {})[
                kind if first == "assay" else name
            ] = float(text)
        except ValueError:
            raise InputError.one(f"'{text}' in column '{column}'", "run the calibration again", file=file) from None
    drugs = sorted({drug for _, drug in changes if drug})
    return ParameterSet(
        number=number,
        immunogenicity={d: Immunogenicity.load(d).with_values(**changes.get(("antibody", d), {})) for d in drugs},
        response={d: Response.load(d).with_values(**changes.get(("response", d), {})) for d in drugs},
        cutoffs=changes.get(("assay", ""), {}),
    )
