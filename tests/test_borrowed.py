"""Numbers that one data file borrows from another are still the other's after a calibration."""

from __future__ import annotations

import math

import pytest

from pkmodel.assay import load_antibody_assay
from pkmodel.response import Response
from scenarios.reactions import Reactions
from validation.case import denominator


@pytest.mark.parametrize("name", ["t_e", "hill", "p_max", "lambda_mech", "lambda_pk", "relapse_lag"])
def test_response_that_vedolizumab_borrows_is_that_of_adalimumab(name: str) -> None:
    """Its data file says "borrowed from adalimumab" beside these."""
    assert getattr(Response.load("vedolizumab"), name) == getattr(Response.load("adalimumab"), name)


@pytest.mark.parametrize(
    ("borrower", "lender"),
    [("vedolizumab-elisa-ada", "older-elisa"), ("vedolizumab-tolerant-ada", "idkmonitor")],
)
def test_cutoffs_that_vedolizumabs_assays_borrow(borrower: str, lender: str) -> None:
    """The assay table says so."""
    assert load_antibody_assay(borrower).cutoff == load_antibody_assay(lender).cutoff


def test_reactions_take_8_ug_per_ml_from_the_calibrated_elisa() -> None:
    """8 ug/mL is 4.73 cut-offs of the older ELISA (validation/denominator.toml), written with four digits."""
    said = next(entry.how for entry in denominator().figure if entry.id == "BAERT-ATI-8")
    assert "4.73 cut-offs" in str(said)
    reactions = Reactions.for_drug("infliximab")
    assert reactions is not None
    half = reactions.antibody_half
    assert math.isclose(half, 4.73 * load_antibody_assay("older-elisa").cutoff, rel_tol=5e-4)
