"""What the population model would have estimated from simulated troughs: known answers come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from validation import population_model
from validation.case import studies
from validation.population_model import Clearance, Plain, clearance, plain
from validation.trial import Parameters, run_arms

N = 300


@pytest.fixture(scope="module")
def without() -> Plain:
    return plain(N)


def estimated(without: Plain, **changes: float) -> Clearance:
    """With nobody ever positive or losing response, so that only the changes show."""
    shipped = Parameters.shipped()
    layer = shipped.immunogenicity["infliximab"].with_values(
        **{"h0": 0.0, "clearance_scale": 1.0, "eta_CL_scale": 1.0, "imm_clearance": 1.0, **changes}
    )
    kept = shipped.response["infliximab"].with_values(lambda_mech=0.0, lambda_pk=0.0)
    parameters = replace(
        shipped,
        immunogenicity={**shipped.immunogenicity, "infliximab": layer},
        response={**shipped.response, "infliximab": kept},
    )
    return clearance(run_arms(population_model.arms(), studies(), parameters, N), without)


def test_the_population_model_itself_gives_what_it_has_published(without: Plain) -> None:
    assert estimated(without) == Clearance(typical=1.0, variability=1.0, immunomodulator=1.0)


def test_a_factor_on_clearance_is_found(without: Plain) -> None:
    found = estimated(without, clearance_scale=1.12)  # between two factors of the table: interpolated
    assert found.typical == pytest.approx(1.12, rel=0.01)
    assert found.immunomodulator == pytest.approx(1.0, abs=0.01)


def test_less_variability_is_seen_as_such(without: Plain) -> None:
    """Between that of the published eta and of none; other sources of variability remain."""
    half, none = (estimated(without, eta_CL_scale=scale).variability for scale in (0.5, 0.0))
    assert 0.3 < none < half < 1.0


def test_an_immunomodulator_that_leaves_clearance_alone_lacks_the_published_effect(without: Plain) -> None:
    assert estimated(without, imm_clearance=0.0).immunomodulator == pytest.approx(1 / 0.863, rel=0.02)


def test_the_scale_of_troughs_is_that_of_constant_residual_error(without: Plain) -> None:
    """A step of one residual SD is a step of one, at any level (29.2 % and 0.371 mg/L)."""

    class One:
        free = np.array([[0.1], [1.0], [10.0]])

        def column(self, day: float) -> int:
            return 0

    lower = population_model.seen(One())[:, 0]  # type: ignore[arg-type]
    step = 1e-4 * np.hypot(0.371, 0.292 * One.free)
    One.free = One.free + step
    np.testing.assert_allclose((population_model.seen(One())[:, 0] - lower) / 1e-4, 1.0, rtol=1e-3)  # type: ignore[arg-type]
