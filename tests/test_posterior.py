"""The posterior, by three roads: own Metropolis, resampled proposals, and emcee as second opinion."""

from __future__ import annotations

import numpy as np
import pytest

import pkmodel as pk
from pkmodel import estimation as est
from pkmodel.errors import InputError
from pkmodel.estimation import beliefs
from pkmodel.estimation.design import Plan, compile_plans
from pkmodel.estimation.pareto import pareto_shape, trusted_shape
from pkmodel.kernels import estimate as kernel
from pkmodel.record import DoseRecord, Level, PatientRecord

MODEL = pk.load("infliximab-wojciechowski-2017")


def record(*levels):
    doses = tuple(DoseRecord(day=7.0 * week, milligrams=350.0) for week in (0, 2, 6, 14))
    return PatientRecord(
        id="P1", doses=doses, levels=levels, covariates={"weight": 70.0, "albumin": 41.0, "female": 1.0}
    )


BLQ = record(Level(day=42.0, value=8.0, trough=True), Level(day=98.0, value=None, lloq=0.5, trough=True))


def monte_carlo(draws, effective):
    """Standard errors of mean and SD of ``draws`` (draw, z) worth ``effective`` independent ones."""
    sd = draws.std(axis=0)
    return sd / np.sqrt(effective), sd / np.sqrt(2 * effective)


def test_emcee_agrees():
    """Means and SDs within four Monte-Carlo standard errors of both chains together."""
    emcee = pytest.importorskip("emcee")
    b = compile_plans(MODEL, [Plan.of(BLQ)])
    work = np.empty(2), np.empty(4), np.empty(7)
    rng = np.random.default_rng(1)
    sampler = emcee.EnsembleSampler(32, 4, lambda z: -0.5 * kernel.objective(b, 0, z, *work))
    sampler._random = np.random.RandomState(1)
    sampler.run_mcmc(rng.standard_normal((32, 4)), 1500)
    theirs = sampler.get_chain(discard=300, flat=True)
    their_n = theirs.shape[0] / sampler.get_autocorr_time(tol=20).max()
    tree = est.sample(MODEL, BLQ)
    ours = tree["posterior"]["z"].values.reshape(-1, 4)
    for which, (one, other) in enumerate(zip(monte_carlo(ours, tree.attrs["ess_bulk_min"]),
                                             monte_carlo(theirs, their_n), strict=True)):  # fmt: skip
        found = (ours.mean(axis=0), ours.std(axis=0))[which] - (theirs.mean(axis=0), theirs.std(axis=0))[which]
        assert (np.abs(found) < 4 * np.hypot(one, other)).all()


def test_resampled_proposals_agree_with_the_chain():
    model = pk.load("infliximab-fasanmade-2009")
    tree = est.sample(model, BLQ)
    chain = tree["posterior"]["z"].values.reshape(-1, 2)
    found = est.believe(est.fit(model, BLQ), draws=4000)
    assert found.methods == ("importance",)
    assert found.effective[0] > beliefs.LEAST_EFFICIENCY
    error = np.hypot(monte_carlo(chain, tree.attrs["ess_bulk_min"])[0], monte_carlo(chain, 4000)[0])
    assert (np.abs(found.parts[0][1].mean(axis=0) - chain.mean(axis=0)) < 4 * error).all()


def test_too_few_effective_proposals_run_the_chain():
    """The two minima of this model and a level below its limit are too much for a t distribution."""
    found = est.believe(est.fit(MODEL, BLQ), draws=500)
    assert found.methods == ("metropolis",)
    assert found.effective[0] < beliefs.LEAST_EFFICIENCY
    assert found.parts[0][1].shape == (500, 4)


def test_layout_is_that_of_arviz():
    tree = est.sample(MODEL, BLQ)
    assert set(tree.children) == {"posterior", "posterior_predictive", "observed_data", "sample_stats"}
    assert tree["posterior"]["CL"].dims == ("chain", "draw")
    assert tree["posterior_predictive"]["level"].dims == ("chain", "draw", "day")
    assert np.isnan(tree["observed_data"]["level"].values[1])
    assert tree.attrs["rhat_max"] < 1.01
    assert tree.attrs["warning"] == ""
    cl = MODEL.typical["CL"] * (70 / 70) ** 0.614 * np.exp(tree["posterior"]["eta"].sel(parameter="CL"))
    ratio = tree["posterior"]["CL"] / cl
    assert float(ratio.std()) < 1e-12  # the same covariates for every draw


def test_chains_that_are_too_short_say_so():
    assert "do not trust" in est.sample(MODEL, BLQ, warmup=100, draws=100).attrs["warning"]
    with pytest.raises(InputError, match="at least 2 chains"):
        est.sample(MODEL, BLQ, chains=1)


def test_draws_are_addressed():
    """The same seed gives the same draws; a chain is the same with more chains beside it."""
    two, three = (est.sample(MODEL, BLQ, chains=n, draws=300)["posterior"]["z"].values for n in (2, 3))
    assert np.array_equal(two, three[:2])
    other = est.sample(MODEL, BLQ, chains=2, draws=300, seed=2)["posterior"]["z"].values
    assert not np.array_equal(two, other)


def test_without_levels_draws_are_the_prior():
    found = est.believe(est.fit(MODEL, record()), draws=4000)
    assert found.methods == ("prior",)
    z = found.parts[0][1]
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(4000)
    assert z.std(axis=0) == pytest.approx(1.0, abs=4 / np.sqrt(8000))


def test_draws_of_a_posterior_feed_a_forecast():
    one = est.fit(MODEL, BLQ)
    tree = est.sample(MODEL, BLQ)
    known = est.from_posterior(one, tree, draws=2000)
    by_chain = est.forecast(known, (), [150.0])
    by_weights = est.forecast(one, (), [150.0], draws=2000)
    assert np.median(by_chain.true) == pytest.approx(np.median(by_weights.true), rel=0.15)
    with pytest.raises(InputError, match="random effects"):
        est.from_posterior(est.fit(pk.load("infliximab-fasanmade-2011"), BLQ), tree)


@pytest.mark.parametrize("heavy", [-0.5, 0.1, 0.5, 0.9])
def test_the_tail_of_weights_is_that_of_arviz(heavy):
    """3,600 weights: a tail of exactly 180, which both programs take. Theirs goes by logarithms, to about 1e-9."""
    array_stats = pytest.importorskip("arviz_stats.base").array_stats
    weights = (np.random.default_rng(1).uniform(size=3600) ** -heavy - 1.0) / heavy
    theirs = float(array_stats.psislw(-np.log(weights)[None, :])[1][0])
    assert pareto_shape(weights) == pytest.approx(theirs, abs=1e-6)
    assert pareto_shape(7.0 * weights) == pytest.approx(pareto_shape(weights), abs=1e-9)


def test_a_heavy_tail_runs_the_chain(monkeypatch):
    model = pk.load("infliximab-fasanmade-2009")
    one = est.fit(model, BLQ)
    assert est.believe(one).methods == ("importance",)
    monkeypatch.setattr(beliefs, "pareto_shape", lambda weights: 0.8)
    found = est.believe(one)
    assert found.methods == ("metropolis",)
    assert found.shapes == (0.8,)


def test_equal_weights_have_no_tail():
    assert pareto_shape(np.ones(400)) == -np.inf
    assert trusted_shape(400) < 0.62 < 0.7 == trusted_shape(4000)
