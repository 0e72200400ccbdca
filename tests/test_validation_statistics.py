"""Statistics of studies: checked against closed forms and against the simulator's own observation of visits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pkmodel.draws import Draws
from pkmodel.patients import Patients
from scenarios.cohorts import Cohort
from validation.case import figures, studies
from validation.cox import hazard_ratio
from validation.rescue import lacks_drug, mean_lack, regains_on, rescue
from validation.statistics import YEAR, Estimate, estimate, first_positive_infusion, follow_up, highest_titre
from validation.trial import Parameters, Record, run_arm


@pytest.fixture(scope="module")
def patients() -> Patients:
    return Cohort.load("adult-crohn").sample(80, seed=3)


@pytest.fixture(scope="module")
def doubled(patients: Patients) -> Record:
    return run_arm(studies()["afif"], "dose doubled", Parameters.shipped(), patients, seed=3, threads=1)


def test_hazard_ratio_of_two_exponentials() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat([False, True], 4000)
    time = rng.exponential(1.0 / np.where(group, 0.4, 1.0))
    event = time < 2.0
    ratio, error = hazard_ratio(np.minimum(time, 2.0), event, group, np.ones(group.size))
    assert math.log(ratio) == pytest.approx(math.log(0.4), abs=4 * error)
    # 1/sqrt(1/events + 1/events) is the information of a log-rank test
    d1, d0 = event[group].sum(), event[~group].sum()
    assert error == pytest.approx(math.sqrt(1 / d1 + 1 / d0), rel=0.1)


def test_weights_of_the_hazard_ratio_stand_for_patients() -> None:
    rng = np.random.default_rng(2)
    group = rng.random(400) < 0.5
    time, event = rng.exponential(1.0, 400), np.ones(400, np.bool_)
    twice = hazard_ratio(np.tile(time, 2), np.tile(event, 2), np.tile(group, 2), np.ones(800))
    heavy = hazard_ratio(time, event, group, np.full(400, 2.0))
    assert heavy == pytest.approx(twice, rel=1e-9)


@pytest.mark.parametrize(("kind", "spread"), [("share", 0.0), ("ratio", 0.5), ("mean", 8.0)])
def test_scatter_is_centred_and_shrinks_with_n(kind: str, spread: float) -> None:
    one = Estimate(value=30.0 if kind != "ratio" else 0.5, kind=kind, spread=spread)
    rng = np.random.default_rng(4)
    few, many = one.scatter(25, 4000, rng), one.scatter(2500, 4000, rng)
    assert np.median(many) == pytest.approx(one.value, rel=0.03)
    assert 7.0 < np.std(few) / np.std(many) < 13.0  # 10 but for Monte Carlo and, for ratios, the logarithm


def test_titres_are_what_the_engine_reports_at_visits(patients: Patients) -> None:
    """The watcher's read-out has the same noise, patient by patient, as the result a user gets."""
    from scenarios.running import run

    study = studies()["pants-infliximab"]
    record = run_arm(study, "infliximab", Parameters.shipped(), patients, seed=3, threads=1)
    result = run(study.scenario, patients, seed=3, threads=1)
    for number, week in enumerate(result["visit"].values):
        column = record.column(7.0 * float(week))
        seen = result["ada_drug_tolerant"].sel(arm="infliximab").values[:, number] == 1
        np.testing.assert_array_equal(record.read("idkmonitor")[:, column], seen)
        level = result["trough_measured"].sel(arm="infliximab").values[:, number]
        np.testing.assert_array_equal(record.measured(column), np.nan_to_num(level, nan=0.0))


def test_ever_positive_falls_with_the_cut_off_and_rises_with_samples(doubled: Record) -> None:
    once = highest_titre(doubled, "older-elisa", [14])
    often = highest_titre(doubled, "older-elisa", [14, 54, 102])
    assert np.all(often >= once)
    options = {"assay": "older-elisa", "weeks": [14, 54, 102]}
    shares = [
        estimate("ever_positive", [(doubled, 1.0)], [], options | {"times_cutoff": factor}).value
        for factor in (0.5, 1.0, 5.0, 1e6)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0.0


def test_samples_before_infusions_end_with_the_last_visit(doubled: Record) -> None:
    """What is positive by a week is not what an infusion after it shows: counted patient by patient."""
    found = highest_titre(doubled, "older-elisa", [20, 30], 16.0)
    titres = doubled.titres("older-elisa")
    for row in range(doubled.ids.size):
        days = [
            column
            for column, day in enumerate(doubled.days)
            if day in (140.0, 210.0) or (112.0 <= day <= 210.0 and doubled.given[row, column])
        ]
        assert found[row] == titres[row, days].max()
    later = highest_titre(doubled, "older-elisa", [20, 102], 16.0)
    assert np.any(later > found)


@pytest.mark.parametrize("share", [0.0, 0.67, 1.0])
def test_losses_where_a_share_had_failed_before(patients: Patients, doubled: Record, share: float) -> None:
    """The weighted mean over responders of everybody and of those who failed on the other arm, counted one by one."""
    other = run_arm(studies()["afif"], "unchanged", Parameters.shipped(), patients, seed=4, threads=1)
    failed = ~other.responder | np.isfinite(other.loss_time)
    lost = doubled.loss_time <= doubled.assessment_day + YEAR
    weights = np.where(failed, share / failed.mean(), 0.0) + (1.0 - share)
    expected = 100.0 * np.average(lost[doubled.responder], weights=weights[doubled.responder])
    options = {"years": 1.0, "failed_before": share}
    found = estimate("lost_response", [(doubled, 2.0)], [(other, 1.0)], options)
    assert found.value == pytest.approx(expected, rel=1e-12)


def without_placebo(record: Record) -> Record:
    """The record of patients in whom nothing calms down by itself."""
    response = {name: one.with_values(p_placebo=0.0) for name, one in record.parameters.response.items()}
    return replace(record, parameters=replace(record.parameters, response=response))


def test_nobody_regains_from_a_mechanistic_failure_but_by_itself(doubled: Record) -> None:
    found = rescue(without_placebo(doubled))
    assert found.judged.any()
    assert not np.any(found.regained & ~found.for_lack_of_drug)
    assert not np.any(found.regained & ~np.isfinite(doubled.loss_time))
    calm = doubled.parameters.response["infliximab"].subsides(
        np.zeros(doubled.ids.size, np.int64), doubled.ids, Draws(doubled.seed)
    )
    assert 0 < calm[found.judged].sum() < found.judged.sum()
    np.testing.assert_array_equal(rescue(doubled).regained, found.judged & (found.regained | calm))


def test_on_another_drug_disease_calms_down_by_itself_too(doubled: Record, patients: Patients) -> None:
    other = run_arm(studies()["pants-adalimumab"], "adalimumab", Parameters.shipped(), patients, seed=3, threads=1)
    found, lost = rescue(doubled), np.isfinite(doubled.loss_time)
    certain = {name: one.with_values(p_placebo=1.0) for name, one in doubled.parameters.response.items()}
    sure = replace(doubled, parameters=replace(doubled.parameters, response=certain))
    np.testing.assert_array_equal(regains_on(sure, found, other), lost)
    np.testing.assert_array_equal(rescue(sure).regained, found.judged)
    never = regains_on(without_placebo(doubled), found, other)
    assert not np.any(never & ~lacks_drug(doubled))
    assert 0 < never.sum() < lost.sum()


def test_who_carries_on_regains_nothing_but_by_chance_of_the_cycle(patients: Patients) -> None:
    """The control that a rule of rescue has to face: only occasions, which differ from cycle to cycle, are left."""
    many = Cohort.load("adult-crohn").sample(600, seed=3)
    shares = {}
    for arm in ("unchanged", "interval halved"):
        record = without_placebo(run_arm(studies()["afif"], arm, Parameters.shipped(), many, seed=3, threads=2))
        found = rescue(record)
        shares[arm] = found.regained[found.judged & found.for_lack_of_drug].mean()
    assert shares["unchanged"] < 0.3 < 0.5 < shares["interval halved"]


@pytest.fixture(scope="module")
def on_demand(patients: Patients) -> Record:
    return run_arm(studies()["baert"], "fistulising", Parameters.shipped(), patients, seed=3, threads=1)


def test_samples_after_infusions_counted_one_by_one(on_demand: Record) -> None:
    """Every infusion of every patient, with the samples that belong to it."""
    cutoff, weeks = on_demand.parameters.assay("older-elisa").cutoff, (4, 8, 12)
    found = first_positive_infusion(on_demand, "older-elisa", cutoff, weeks)
    titres, days = on_demand.titres("older-elisa"), list(on_demand.days)
    for row in range(on_demand.ids.size):
        infusions = [day for column, day in enumerate(days) if on_demand.given[row, column]]
        first = math.inf
        for number, day in enumerate(infusions):
            following = infusions[number + 1] if number + 1 < len(infusions) else math.inf
            samples = [day + 7.0 * week for week in weeks if day + 7.0 * week < following]
            if following <= day + 84.0:  # the sample before the next infusion
                samples.append(following)
            if number and infusions[number - 1] < day - 84.0:
                samples.append(day)  # no earlier infusion is near enough
            if any(titres[row, days.index(one)] >= cutoff for one in samples if one in days):
                first = min(first, day)
        assert found[row] == first
    assert np.isfinite(found).any()
    assert np.isinf(found).any()


def test_antibodies_in_a_follow_up_that_varies(on_demand: Record) -> None:
    options = {"assay": "older-elisa", "weeks_after_doses": [4, 8, 12]}
    cutoff = on_demand.parameters.assay("older-elisa").cutoff
    first = first_positive_infusion(on_demand, "older-elisa", cutoff, [4, 8, 12])
    lengths = {"median_years": 0.5, "spread": 1.0, "longest_years": 3.0}
    expected = np.mean([np.mean(first <= YEAR * years) for years in follow_up(lengths)])
    assert estimate("ever_positive", [(on_demand, 1.0)], [], options | lengths).value == pytest.approx(100.0 * expected)
    at_once = estimate("ever_positive", [(on_demand, 1.0)], [], options | {"years": 0.0}).value
    for_ever = estimate("ever_positive", [(on_demand, 1.0)], [], options | {"years": 9.0}).value
    assert at_once == pytest.approx(100.0 * np.mean(first == 0.0))
    assert at_once < 100.0 * expected < for_ever == pytest.approx(100.0 * np.isfinite(first).mean())


def test_baert_has_the_published_treatment() -> None:
    """Ten months and 3.9 infusions in the mean, from 1 to 17 (the abstract, from memory).

    The mean to 10 %; the most that one of 125 has lies in the middle 95 % of 400 such studies.
    """
    study, figure = figures()["BAERT-ATI"]
    years = follow_up(figure.options)
    assert 12.0 * years.mean() == pytest.approx(10.0, abs=0.01)
    cohort = Cohort.load("adult-crohn").sample(500, seed=1)
    rng, weights, counts = np.random.default_rng(5), [part.weight for part in figure.parts], []
    for part in figure.parts:
        record = run_arm(studies()[study], part.arm, Parameters.shipped(), cohort, seed=1, threads=2)
        column = np.searchsorted(record.days, YEAR * years, side="right") - 1
        counts.append(record.given.cumsum(axis=1)[:, column])  # (patient, length of follow-up)
    assert np.average([one.mean() for one in counts], weights=weights) == pytest.approx(3.9, rel=0.1)
    most = []
    for _ in range(400):
        arm = rng.choice(4, 125, p=weights)
        most.append(max(rng.choice(counts[k].ravel()) for k in arm))
    low, high = np.quantile(most, (0.025, 0.975))
    assert low < 17 < high
    assert min(one.min() for one in counts) == 1


def test_a_trough_is_what_was_there_before_the_last_infusion(patients: Patients) -> None:
    """Patient by patient; where intervals were shortened the day of the sample is the patient's own."""
    record = run_arm(studies()["taxit-crohn"], "interval shortened", Parameters.shipped(), patients, seed=3, threads=1)
    columns = record.last_infusion(7.0 * 118)
    assert np.unique(columns).size > 1
    inside, among = [], []
    for row in range(record.ids.size):
        column = max(k for k, day in enumerate(record.days) if record.given[row, k] and day <= 7.0 * 118)
        assert columns[row] == column
        level = record.measured(column)[row]
        inside.append(3.0 <= level < 7.0)
        since = record.days[column] - 84.0
        within = [k for k, day in enumerate(record.days) if since <= day <= record.days[column]]
        among.append(bool(record.responding[row, within].all()))
    options = {"week": 118.0, "low": 3.0, "high": 7.0, "stable_weeks": 12.0}
    found = estimate("trough_share", [(record, 1.0)], [], options).value
    assert found == pytest.approx(100.0 * np.mean(np.array(inside)[among]))
    assert 0 < sum(among) < len(among)


def test_missing_effect_is_one_minus_the_mean_effect(doubled: Record) -> None:
    """Days two weeks and less apart: the trapezoidal sum is off by a few hundredths."""
    column = doubled.column(7.0 * 102)
    until = np.full(doubled.ids.size, doubled.days[column])
    within = (doubled.days >= until[0] - 56.0) & (doubled.days <= until[0])
    expected = np.trapezoid(1.0 - doubled.effect[:, within], doubled.days[within], axis=1) / 56.0
    np.testing.assert_allclose(mean_lack(doubled, until), expected, atol=0.06)
    assert mean_lack(doubled, until).mean() == pytest.approx(expected.mean(), abs=0.02)


def test_follow_up_has_the_published_means() -> None:
    """2.81 and 0.9 years from the reviews' own counts; Qiu 2017's mean of 1.84 is 1.60 when cut at six years."""
    means = {name: follow_up(figures()[name][1].options).mean() for name in ("GISBERT-LOR-PY", "BILLIOUD-LOR-PY")}
    assert means["GISBERT-LOR-PY"] == pytest.approx(37.0 / (827 / 6284 * 100), abs=0.01)
    assert means["BILLIOUD-LOR-PY"] == pytest.approx(18.2 / 20.3, abs=0.01)
    years = follow_up(figures()["QIU-LOR-IFX"][1].options)
    assert np.median(years) == pytest.approx(1.0, abs=0.01)
    assert np.log(38.5 / 20.9) == pytest.approx(0.5 * figures()["QIU-LOR-IFX"][1].options["spread"] ** 2, abs=0.001)


def test_losses_in_a_follow_up_that_varies(doubled: Record) -> None:
    """Counted patient by patient, for each length."""
    options = {"median_years": 0.8, "spread": 0.7, "longest_years": 1.5}
    years = follow_up(options)
    assert years.max() == 1.5
    expected = np.mean([
        np.mean([time <= doubled.assessment_day + YEAR * one for time in doubled.loss_time[doubled.responder]])
        for one in years
    ])  # fmt: skip
    assert estimate("lost_response", [(doubled, 1.0)], [], options).value == pytest.approx(100.0 * expected)
    rate = estimate("losses_per_100_years", [(doubled, 1.0)], [], options)
    assert rate.value == pytest.approx(100.0 * expected / years.mean())
    assert rate.scale == pytest.approx(100.0 / years.mean())


def test_causes_follow_the_hazards(doubled: Record) -> None:
    """Without mechanistic failure every loss is for lack of drug; without the other, none is."""
    base = doubled.parameters
    for changes, expected in ({"lambda_mech": 0.0}, True), ({"lambda_pk": 0.0}, False):
        response = {**base.response, "infliximab": base.response["infliximab"].with_values(**changes)}
        record = replace(doubled, parameters=replace(base, response=response))
        lost = np.isfinite(record.loss_time)
        assert np.all(lacks_drug(record)[lost] == expected)


def test_only_those_who_failed_the_first_drug_are_counted(doubled: Record) -> None:
    """Counted by hand; and whoever did not fail changes nothing."""
    failed = ~doubled.responder | np.isfinite(doubled.loss_time)
    assert 0 < failed.sum() < failed.size
    options = {"assay": "older-elisa", "weeks": [14, 54, 102]}
    found = estimate("ever_positive", [(doubled, 1.0)], [(doubled, 1.0)], options).value
    positive = highest_titre(doubled, "older-elisa", [14, 54, 102]) >= doubled.parameters.assay("older-elisa").cutoff
    assert found == pytest.approx(100.0 * positive[failed].mean())
    everybody = estimate("ever_positive", [(doubled, 1.0)], [], options).value
    assert everybody == pytest.approx(100.0 * positive.mean())
    assert found != everybody


def test_transient_antibodies_are_gone_at_the_last_samples(doubled: Record) -> None:
    options = {"assay": "idkmonitor", "weeks": [14, 54, 102]}
    shares = [estimate("transient", [(doubled, 1.0)], [], options | {"last": last}).value for last in (1, 2, 3)]
    assert shares[0] >= shares[1] >= shares[2] == 0.0  # who is negative at all samples was never positive
    assert shares[0] > 0.0


def test_the_unknown_statistic_is_named(doubled: Record) -> None:
    with pytest.raises(Exception, match="ever_positive"):
        estimate("ever_positiv", [(doubled, 1.0)], [], {})
