"""Amounts and limits of policies and clinics, for each patient and drug."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from pkmodel.errors import InputError
from pkmodel.units import Amount
from scenarios.visit import Floats, Visit

_T = TypeVar("_T")


def in_mg(amount: Amount, weight: Floats) -> Floats:
    """An amount in mg for each patient of ``weight`` kg."""
    return amount.value * weight if amount.per_weight else np.full(weight.shape, amount.value)


def raised(dose: Floats, by: Floats, cap: Floats) -> Floats:
    """``dose + by``, not above the cap; a dose that is above it already stays."""
    return np.maximum(np.minimum(dose + by, cap), dose)


def for_drug(values: Mapping[str, float], visit: Visit) -> Floats:
    """The value of each patient's present drug; NaN where there is none for it."""
    return np.array([values.get(name, math.nan) for name in visit.drugs])[visit.drug]


def mg_for_drug(amounts: Mapping[str, Amount], visit: Visit) -> Floats:
    """The amount of each patient's present drug, in mg; NaN where there is none for it."""
    table = [
        in_mg(amounts[name], visit.weight) if name in amounts else np.full(visit.weight.shape, math.nan)
        for name in visit.drugs
    ]
    return np.stack(table)[visit.drug, np.arange(visit.drug.size)]


def parsed_by_drug(texts: object, parse: Callable[[str], _T], key: str) -> dict[str, _T]:
    """Read a table from drugs to texts with units.

    Raises
    ------
    InputError
        If it is no table, or a text is not understood.
    """
    if not isinstance(texts, Mapping):
        raise InputError.one(f"{texts!r} is no table", f'write {key} = {{ infliximab = "..." }}', key=key)
    return {str(drug): parse(text) for drug, text in texts.items()}
