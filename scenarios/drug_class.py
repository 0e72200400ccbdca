"""Classes of drugs: what "within class" and "out of class" mean."""

from __future__ import annotations

_CLASS = {
    "infliximab": "anti-TNF",
    "adalimumab": "anti-TNF",
    "certolizumab": "anti-TNF",
    "golimumab": "anti-TNF",
    "vedolizumab": "anti-integrin",
    "ustekinumab": "anti-IL-12/23",
}
# addresses of random numbers follow this order; append, never reorder
_NUMBERED = ("anti-TNF", "anti-integrin", "anti-IL-12/23")


def class_of(drug: str) -> str:
    """Return the class of a drug; a drug that is not listed is a class of its own."""
    return _CLASS.get(drug, drug)


def class_number(drug: str) -> int:
    """Return the number of a drug's class, for the addresses of random numbers; unlisted classes share one."""
    name = class_of(drug)
    return _NUMBERED.index(name) if name in _NUMBERED else len(_NUMBERED)
