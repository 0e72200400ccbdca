"""Individual parameters with the antibody layer: what it does to the published clearance, and to nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pkmodel as pk
from pkmodel.errors import InputError
from pkmodel.individuals import from_etas, parameters
from pkmodel.kernels import layout as at

MODEL = pk.load("infliximab-fasanmade-2011")
LAYER = pk.Immunogenicity.load("infliximab")
N = 40
COVARIATES = {"weight": np.linspace(45.0, 110.0, N), "albumin": np.linspace(28.0, 48.0, N)}
ETAS = np.random.default_rng(3).normal(0.0, 0.4, (N, 3))


def naive(weight: float, albumin: float, eta: float, scale: float, share: float) -> float:
    """Clearance by hand: Fasanmade 2011 per person of 65 kg and 4.1 g/dL (the cohort's albumin is in g/L)."""
    return float(0.3523 * (weight / 65) ** 0.687 * (albumin / 41) ** -0.855 * scale * math.exp(share * eta))


@pytest.mark.parametrize(("scale", "share"), [(1.0, 1.0), (0.8, 0.6), (0.9, 0.0)])
def test_clearance_is_scaled_and_so_is_its_eta(scale: float, share: float) -> None:
    layer = LAYER.with_values(clearance_scale=scale, eta_CL_scale=share)
    found = from_etas(MODEL, COVARIATES, ETAS, layer)
    rows = zip(COVARIATES["weight"], COVARIATES["albumin"], ETAS[:, 0], strict=True)
    expected = [naive(weight, albumin, eta, scale, share) for weight, albumin, eta in rows]
    np.testing.assert_allclose(found[:, at.CL], expected, rtol=1e-12)


def test_nothing_else_is_scaled_and_the_etas_stay_what_they_were() -> None:
    given = ETAS.copy()
    bare = from_etas(MODEL, COVARIATES, given, None)
    found = from_etas(MODEL, COVARIATES, given, LAYER.with_values(clearance_scale=0.8, eta_CL_scale=0.5))
    others = [column for column in range(bare.shape[1]) if column != at.CL]
    np.testing.assert_array_equal(found[:, others], bare[:, others])
    np.testing.assert_array_equal(given, ETAS)


@pytest.mark.parametrize("layer", [None, LAYER])
@pytest.mark.parametrize("etas", [np.zeros((N, 2)), np.zeros(3), np.full((N, 3), np.nan)])
def test_etas_of_the_wrong_shape_or_nan_are_refused(layer: pk.Immunogenicity | None, etas: np.ndarray) -> None:
    with pytest.raises(InputError, match="etas"):
        from_etas(MODEL, COVARIATES, etas, layer)


def test_a_patient_of_the_engine_and_of_a_table_have_the_same_clearance() -> None:
    patients = pk.Patients(ids=np.arange(N), covariates=COVARIATES)
    draws = pk.Draws(7)
    here = parameters(MODEL, patients, draws, immunogenicity=LAYER)
    normals = draws.normal(pk.draws.Stream.ETA, patients.ids, 3)
    np.testing.assert_array_equal(here, from_etas(MODEL, COVARIATES, MODEL.etas(normals), LAYER))
    spread = np.log(here[:, at.CL] / from_etas(MODEL, COVARIATES, np.zeros((N, 3)), LAYER)[:, at.CL])
    np.testing.assert_allclose(spread, LAYER.eta_CL_scale * MODEL.etas(normals)[:, 0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("exponent", [0.0, 0.3, 1.0])
def test_a_part_of_the_published_effect_of_an_immunomodulator(exponent: float) -> None:
    row = LAYER.with_values(imm_clearance=exponent).kernel_row(0.863)
    assert row[at.IMM_CLEARANCE] == pytest.approx(math.exp(exponent * math.log(0.863)), rel=1e-15)
    assert LAYER.with_values(imm_clearance=0.0).kernel_row(0.863)[at.IMM_CLEARANCE] == 1.0
    assert LAYER.with_values(imm_clearance=1.0).kernel_row(0.863)[at.IMM_CLEARANCE] == 0.863
