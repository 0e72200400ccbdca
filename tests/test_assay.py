"""Assays: what the laboratory sees of what is in the tube."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pkmodel.assay import (
    INCONCLUSIVE,
    NEGATIVE,
    POSITIVE,
    antibody_assays,
    drug_assays,
    load_antibody_assay,
    load_drug_assay,
)
from pkmodel.errors import InputError, UnknownNameError


def test_a_drug_assay_adds_both_errors() -> None:
    assay = load_drug_assay("infliximab-elisa", drug="infliximab")
    value, blq = assay.measure(np.array([5.0, 5.0, 5.0]), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -2.0]))
    # a sum of two products of doubles
    np.testing.assert_allclose(value, [5.0, 5.0 + 5.0 * assay.proportional, 5.0 - 2 * assay.additive], rtol=1e-15)
    assert not blq.any()


def test_below_the_limit_there_is_no_number() -> None:
    assay = load_drug_assay("infliximab-elisa")
    free = np.array([[0.0, np.nextafter(assay.lloq, 0)], [assay.lloq, 1.0]])
    value, blq = assay.measure(free, np.zeros((2, 2)), np.zeros((2, 2)))
    np.testing.assert_array_equal(blq, [[True, True], [False, False]])
    np.testing.assert_array_equal(np.isnan(value), blq)
    # noise decides too: what is measured is compared with the limit, not what is true
    _, noisy = assay.measure(np.array([0.35]), np.array([0.0]), np.array([-1.0]))
    assert noisy[0]


def test_an_undefined_concentration_is_never_a_result() -> None:
    zero = np.zeros(1)
    with pytest.raises(InputError, match="NaN"):
        load_drug_assay("infliximab-elisa").measure(np.array([np.nan]), zero, zero)
    with pytest.raises(InputError, match="NaN"):
        load_antibody_assay("idkmonitor").read(np.array([np.nan]), zero, zero, zero)


def test_a_drug_sensitive_assay_is_blind_while_there_is_drug() -> None:
    assay = load_antibody_assay("sponsor-bridging")
    drug = np.array([0.0, 0.0, np.nextafter(assay.drug_limit, 0), assay.drug_limit, 20.0])
    free = assay.cutoff * np.array([1.0, 0.5, 2.0, 2.0, 2.0])
    code, titre = assay.read(drug, free, np.full(5, 2.0 * assay.cutoff), np.zeros(5))
    np.testing.assert_array_equal(code, [POSITIVE, NEGATIVE, POSITIVE, INCONCLUSIVE, INCONCLUSIVE])
    assert code.dtype == np.int8
    np.testing.assert_array_equal(np.isnan(titre), code == INCONCLUSIVE)


def test_a_drug_tolerant_assay_reads_bound_antibody_and_fades_above_its_limit() -> None:
    assay = load_antibody_assay("idkmonitor")
    drug = np.array([0.0, 30.0, 45.0, 60.0, 500.0])
    code, titre = assay.read(drug, np.zeros(5), np.ones(5), np.zeros(5))
    # full up to the limit, half way at 1.5 times, blind from twice the limit: the stated assumption
    np.testing.assert_allclose(titre, [1.0, 1.0, 0.5, 0.0, 0.0], atol=1e-15)
    np.testing.assert_array_equal(code, [POSITIVE, POSITIVE, POSITIVE, NEGATIVE, NEGATIVE])


def test_the_same_sample_is_masked_in_one_family_and_positive_in_the_other() -> None:
    """Scheduled dosing (drug present) masks what episodic dosing (drug gone) shows."""
    assay = load_antibody_assay("sponsor-bridging")
    titre = 1.1 * assay.cutoff
    bound, total, z = np.array([0.0, titre]), np.full(2, titre), np.zeros(2)
    drug = np.array([3.0, 0.0])
    sensitive, _ = assay.read(drug, bound, total, z)
    tolerant, _ = load_antibody_assay("idkmonitor").read(drug, bound, total, z)
    np.testing.assert_array_equal(sensitive, [INCONCLUSIVE, POSITIVE])
    np.testing.assert_array_equal(tolerant, [POSITIVE, POSITIVE])


def test_the_error_of_a_titre_is_lognormal_and_never_makes_an_antibody_from_none() -> None:
    assay = load_antibody_assay("idkmonitor")
    z = np.array([-2.0, 0.0, 2.0])
    _, titre = assay.read(np.zeros(3), np.ones(3), np.ones(3), z)
    np.testing.assert_allclose(np.log(titre), assay.proportional * z, atol=1e-15)
    code, _ = assay.read(np.zeros(1), np.zeros(1), np.zeros(1), np.array([8.0]))
    assert code[0] == NEGATIVE


def test_an_assay_of_another_drug_is_refused() -> None:
    with pytest.raises(InputError, match=r"is for infliximab, not adalimumab; for adalimumab: anti-lambda, "):
        load_antibody_assay("older-elisa", drug="adalimumab")
    with pytest.raises(InputError, match=r"is for adalimumab, not infliximab; for infliximab: infliximab-elisa"):
        load_drug_assay("adalimumab-elisa", drug="infliximab")
    with pytest.raises(UnknownNameError, match="did you mean 'idkmonitor'"):
        load_antibody_assay("idk-monitor")
    assert antibody_assays("adalimumab") == ["anti-lambda", "idkmonitor-adalimumab", "tours-elisa"]
    assert drug_assays() == ["adalimumab-elisa", "infliximab-elisa", "vedolizumab-elisa"]


@pytest.mark.parametrize(
    "change", [{"cutoff": 0.0}, {"drug_limit": -1.0}, {"proportional": float("nan")}, {"kind": "sensitive"}]
)
def test_impossible_assays_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        dataclasses.replace(load_antibody_assay("idkmonitor"), **change)  # type: ignore[arg-type]
