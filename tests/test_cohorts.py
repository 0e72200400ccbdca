"""Cohorts: what is drawn is what the files say, whatever the chunks; bad files are refused fault by fault.

Tolerances: four standard errors of the statistic at the sample size used, with exact values of truncated
distributions from scipy.
"""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pkmodel.errors import InputError, PkWarning, UnknownNameError
from pkmodel.files import parse_toml, read_toml
from scenarios.cohort_csv import read_cohort_csv
from scenarios.cohort_file import CohortFile, CovariateFile
from scenarios.cohorts import Cohort

DATA = Path(__file__).parent.parent / "scenarios" / "data" / "cohorts"
N = 20_000
COVARIATES = {"female", "weight", "albumin", "crp", "hla_dqa1_05"}


def on_normal_scale(one: CovariateFile, values: np.ndarray, female: np.ndarray) -> np.ndarray:
    """Undo the lognormal and the medians by sex, so that all patients share one truncated normal."""
    if one.distribution == "normal":
        return (values - one.mean) / one.sd
    spread = one.log_sd or math.sqrt(math.log(1 + one.cv**2))
    male = one.median_male or one.median
    women = one.median_female or one.median
    return (np.log(values) - np.where(female == 1, math.log(women), math.log(male))) / spread


def bounds(one: CovariateFile, median: float | None) -> tuple[float, float]:
    if one.distribution == "normal":
        return (one.low - one.mean) / one.sd, (one.high - one.mean) / one.sd
    spread = one.log_sd or math.sqrt(math.log(1 + one.cv**2))
    return math.log(one.low / median) / spread, math.log(one.high / median) / spread


@pytest.fixture(scope="module", params=Cohort.names())
def drawn(request):
    name = request.param
    return read_toml(DATA / f"{name}.toml", CohortFile), Cohort.load(name).sample(N, seed=3)


def test_every_cohort_gives_the_covariates_that_a_trial_needs(drawn):
    _, patients = drawn
    assert set(patients.covariates) == COVARIATES
    assert patients.ids.tolist() == list(range(N))


def test_moments_are_those_of_the_truncated_distributions_of_the_file(drawn):
    file, patients = drawn
    female = patients.covariates["female"]
    for name in ("weight", "albumin", "crp"):
        one, values = file.covariate[name], patients.covariates[name]
        assert values.min() >= one.low
        assert values.max() <= one.high
        for sex in (0, 1):
            median = (one.median_female if sex else one.median_male) or one.median
            exact = stats.truncnorm(*bounds(one, median))
            got = on_normal_scale(one, values, female)[female == sex]
            assert got.mean() == pytest.approx(exact.mean(), abs=4 * exact.std() / math.sqrt(got.size))
            # SE of an SD: sd * sqrt((kurtosis - 1) / 4n)
            kurtosis = exact.stats("k") + 3
            error = exact.std() * math.sqrt((kurtosis - 1) / (4 * got.size))
            assert got.std() == pytest.approx(exact.std(), abs=4 * error)


def test_shares_of_women_and_carriers_are_those_of_the_file(drawn):
    file, patients = drawn
    for name in ("female", "hla_dqa1_05"):
        p = file.covariate[name].probability
        assert patients.covariates[name].mean() == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / N))
        assert set(np.unique(patients.covariates[name])) == {0.0, 1.0}


def test_correlations_are_those_of_the_file(drawn):
    file, patients = drawn
    stated = {frozenset(one.between): one.value for one in file.correlation}
    female = patients.covariates["female"]
    for pair in (("albumin", "crp"), ("weight", "albumin"), ("weight", "crp")):
        rho = stated.get(frozenset(pair), 0.0)
        # Truncation by the inverse distribution function is increasing, so ranks are those of the underlying
        # normals, whose Spearman correlation is 6/pi asin(rho/2); its SE is about 1/sqrt(n).
        for sex in (0, 1):
            x, y = (patients.covariates[name][female == sex] for name in pair)
            got = stats.spearmanr(x, y).statistic
            assert got == pytest.approx(6 / math.pi * math.asin(rho / 2), abs=4 / math.sqrt(x.size))


@pytest.mark.parametrize("cuts", [(1,), (7, 500), (64, 65, 4096)])
@pytest.mark.parametrize("name", Cohort.names())
def test_chunks_give_the_same_bits(name, cuts):
    cohort = Cohort.load(name)
    n = 5000
    whole = cohort.sample(n, seed=11)
    edges = [0, *cuts, n]
    parts = [cohort.sample(b - a, seed=11, first=a) for a, b in pairwise(edges)]
    for covariate, values in whole.covariates.items():
        joined = np.concatenate([part.covariates[covariate] for part in parts])
        assert np.array_equal(joined, values), covariate
    assert np.array_equal(np.concatenate([part.ids for part in parts]), whole.ids)


def test_seeds_give_different_patients():
    cohort = Cohort.load("adult-crohn")
    one, two = cohort.sample(50, seed=1), cohort.sample(50, seed=2)
    assert not np.any(one.covariates["weight"] == two.covariates["weight"])


def test_truncation_is_no_clipping(tmp_path):
    """Narrow bounds leave no heap of patients on them and give the exact truncated mean."""
    path = tmp_path / "narrow.toml"
    path.write_text(COHORT.format(low=40.0, high=42.0, rho=0.5), encoding="utf-8")
    albumin = Cohort.load(path).sample(N).covariates["albumin"]
    assert np.unique(albumin).size > 0.99 * N
    exact = stats.truncnorm(-0.25, 0.25, 41, 4)
    assert albumin.mean() == pytest.approx(exact.mean(), abs=4 * exact.std() / math.sqrt(N))


COHORT = """
title = "t"
disease = "d"
status = "s"
source = "s"

[covariate.albumin]
unit = "g/L"
distribution = "normal"
mean = 41
sd = 4
low = {low}
high = {high}
status = "s"

[covariate.crp]
unit = "mg/L"
distribution = "lognormal"
median = 8
log_sd = 1.2
low = 0.2
high = 300
status = "s"

[covariate.weight]
unit = "kg"
distribution = "lognormal"
median = 70
cv = 0.2
low = 30
high = 150
status = "s"

[[correlation]]
between = ["albumin", "crp"]
value = {rho}
status = "s"
"""


def test_unknown_cohort_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'adult-crohn'"):
        Cohort.load("adult-chron")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("high = 30.0", "high = 20.0"), r"covariate\.albumin: low 25 is not below high 20"),
        (
            ("sd = 4", "cv = 0.1"),
            r"covariate\.albumin: a normal covariate with cv, high, low, mean; give exactly",
        ),
        (('"crp"]', '"crb"]'), r"correlation\.0\.between: 'crb' cannot be correlated; did you mean 'crp'"),
        (("value = 0.5", "value = 1.5"), r"correlation\.0\.value: got 1.5"),
        (("median = 70\n", "median_male = 70\nmedian_female = 60\n"), "without a binary covariate 'female'"),
    ],
)
def test_faults_of_a_cohort_file(change, message):
    text = COHORT.format(low=25.0, high=30.0, rho=0.5)
    assert change[0] in text
    with pytest.raises(InputError, match=message):
        parse_toml(text.replace(*change), CohortFile, file="c.toml")


def test_correlations_that_contradict_each_other_are_refused(tmp_path):
    text = COHORT.format(low=25.0, high=50.0, rho=0.9)
    for pair, value in (('["albumin", "weight"]', 0.9), ('["crp", "weight"]', -0.9)):
        text += f'\n[[correlation]]\nbetween = {pair}\nvalue = {value}\nstatus = "s"\n'
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="cannot hold together"):
        Cohort.load(path)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_rows_become_patients_in_internal_units(tmp_path):
    path = write(
        tmp_path,
        "\ufeffid,weight [kg],albumin [g/dL],crp,female,hla_dqa1_05\nA,70,4.1,5,1,0\n\nB,82.5,3.9,0,0,1\n",
    )
    cohort = Cohort.load(path)
    patients = cohort.sample(2)
    assert cohort.size == 2
    assert patients.covariates["weight"].tolist() == [70.0, 82.5]
    assert patients.covariates["albumin"] == pytest.approx([41.0, 39.0], rel=1e-12)
    assert patients.covariates["female"].tolist() == [1.0, 0.0]
    assert "id" not in patients.covariates


def test_csv_reports_every_bad_cell_with_row_and_column(tmp_path):
    path = write(
        tmp_path,
        "id,weight [kg],albumin [g/L],female\n"
        "1,70,41,1\n"
        "2,,4.1,yes\n"
        "3,-70,nan,2\n"
        '1,"72,5",forty,0\n'
        "5,80,41\n"
        "6,1e400,41,1\n"
        "7,\uff17\uff10,41,1\n",
    )
    with pytest.raises(InputError) as caught:
        Cohort.load(path)
    told = [str(fault).removeprefix(f"{path}:") for fault in caught.value.faults]
    starts = [
        "3: weight: row 2: the value is missing; ",
        "3: albumin: row 2: 4.1 g/L is not possible for albumin; check the value, or state the unit",
        "3: female: row 2: 'yes' is not a number; write 0 or 1",
        "4: weight: row 3: -70 is negative",
        "4: albumin: row 3: the value is missing ('nan')",
        "4: female: row 3: 2 is neither 0 nor 1",
        "5: weight: row 4: '72,5' is not a number; write a number in kg with a decimal point",
        "5: albumin: row 4: 'forty' is not a number",
        "5: id: id '1' is also on line 2",
        "6: row 5 has 3 cells, the header has 4",
        "7: weight: row 6: 1e400 kg is not possible for weight",
        "8: weight: row 7: '\uff17\uff10' is not a number",
    ]
    assert len(told) == len(starts)
    for start in starts:
        assert any(one.startswith(start) for one in told), (start, told)
    assert [fault.line for fault in caught.value.faults] == sorted(fault.line for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("wieght", "wieght: unknown covariate; did you mean 'weight'"),
        ("weight [lb]", "unknown unit 'lb'"),
        ("weight [g/L]", "albumin"),
        ("bmi", "needs its unit"),
        ("weight,weight [kg]", "this column is there twice"),
        ("immunomodulator", r"\[\[arm.cotherapy\]\]"),
        ("id", "there is no covariate"),
        ("weight;albumin", "separated by semicolons"),
    ],
)
def test_faults_of_a_csv_header(tmp_path, header, message):
    row = ",".join("1" for _ in header.split(","))
    with pytest.raises(InputError, match=message):
        read_cohort_csv(write(tmp_path, f"{header}\n{row}\n"))


@pytest.mark.parametrize("text", ["", "\n\n", "weight\n", 'weight\n"70\n'])
def test_csv_without_patients_is_refused(tmp_path, text):
    with pytest.raises(InputError, match=r"my\.csv:\d"):
        read_cohort_csv(write(tmp_path, text))


def test_a_covariate_of_ones_own_model_needs_a_unit_only(tmp_path):
    assert read_cohort_csv(write(tmp_path, "height [cm]\n172\n"))["height"].tolist() == [172.0]


def test_rows_are_used_again_with_a_warning(tmp_path):
    path = write(tmp_path, "weight,hla_dqa1_05\n50,0\n60,1\n70,0\n")
    cohort = Cohort.load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cohort.sample(2).covariates["weight"].tolist() == [50.0, 60.0]
    with pytest.warns(PkWarning, match="rows are used again"):
        patients = cohort.sample(5, first=1)
    assert patients.covariates["weight"].tolist() == [60.0, 70.0, 50.0, 60.0, 70.0]
    assert patients.ids.tolist() == [1, 2, 3, 4, 5]


def test_a_csv_without_hla_says_so(tmp_path):
    with pytest.warns(PkWarning, match="nobody counts as a carrier"):
        Cohort.load(write(tmp_path, "weight\n50\n"))


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_a_number_of_patients_is_a_whole_positive_number(n):
    with pytest.raises(InputError, match="patients"):
        Cohort.load("adult-uc").sample(n)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.floats(min_value=1, max_value=500),
            st.floats(min_value=8, max_value=80),
            st.booleans(),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_csv_values_come_back_exactly(tmp_path_factory, rows):
    text = "weight,albumin,female\n" + "".join(f"{w!r},{a!r},{int(f)}\n" for w, a, f in rows)
    columns = read_cohort_csv(write(tmp_path_factory.mktemp("csv"), text))
    assert columns["weight"].tolist() == [w for w, _, _ in rows]
    assert columns["albumin"].tolist() == [a for _, a, _ in rows]
    assert columns["female"].tolist() == [float(f) for _, _, f in rows]
