"""Covariate expressions: the same numbers as Python's own arithmetic, and nothing but arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pkmodel as pk
from pkmodel.expressions import Expression, ExpressionEffect
from pkmodel.library import parse

X = {
    "weight": np.array([45.0, 70.0, 120.5]), "albumin": np.array([28.0, 40.0, 44.0]),
    "ada_titre": np.array([0.0, 10.0, 800.0]), "female": np.array([1.0, 0.0, 1.0]), "crp": np.array([0.0, 3.0, 90.0]),
}  # fmt: skip
PYTHON = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "min": min, "max": max, "where": lambda c, a, b: a if c else b,
}  # fmt: skip


def by_python(text):
    """Python's own evaluation, one patient at a time; these texts are the test's own."""
    return [eval(text, PYTHON, {name: float(x[i]) for name, x in X.items()}) for i in range(3)]


@pytest.mark.parametrize(
    "text",
    [
        "1 if ada_titre < 10 else 0.246 / 0.165 * (ada_titre / 250) ** 0.0713",
        "(weight / 70) ** 0.666 * exp(-0.02 * (albumin - 40))",
        "1 + 0.3 * log(1 + crp) - sqrt(weight) / 100",
        "max(0.2, 1 - 0.01 * crp, 0.3) * min(weight, 100) / 70",
        "where(albumin < 35 and not female == 1, 2, 1) + (1 if 30 <= weight <= 70 or crp > 50 else 3)",
        "-(-weight) ** 2 / 4900 + 10",
        "2 ** -1 * +weight",
        "weight / albumin / 2 - 0.1 * female * 3",
    ],
)
def test_values_are_those_of_python(text):
    # rounding of the elementary functions only
    np.testing.assert_allclose(Expression.parse(text).evaluate(X), by_python(text), rtol=4e-15)


number = st.floats(0.1, 9.0).map(lambda value: f"{value:.3f}")
term = st.recursive(
    st.one_of(number, st.sampled_from(["weight", "albumin", "female"])),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        inner.map(lambda p: f"sqrt({p} ** 2 + 1)"),
        st.tuples(inner, inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} < {p[2]} else {p[3]})"),
        st.tuples(inner, inner).map(lambda p: f"max({p[0]}, {p[1]})"),
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(text=term)
def test_any_arithmetic_is_that_of_python(text):
    if not any(name in text for name in X):
        text = f"{text} + 0 * weight"
    np.testing.assert_allclose(Expression.parse(text).evaluate(X), by_python(text), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weigth / 70", "'weigth' in \"weigth / 70\" is no covariate; did you mean 'weight'"),
        ("(weight / 70", "is no expression near column"),
        ("__import__('os').system('x') * weight", "is not allowed"),
        ("weight.real", "'weight.real' is not allowed"),
        ("weight[0]", "'weight\\[0\\]' is not allowed"),
        ("(lambda: 1)() * weight", "is not allowed"),
        ("[w for w in (1,)][0] * weight", "is not allowed"),
        ("open(weight)", "calls an unknown function"),
        ("eval(weight)", "calls an unknown function"),
        ("exp(weight, 2)", "has 2 arguments; exp takes 1"),
        ("exp(x=weight)", "is not allowed"),
        ("max(*weight)", "has 1 arguments"),
        ("weight // 2", "is not allowed"),
        ("weight % 2", "is not allowed"),
        ("'a' * weight", "is not a number"),
        ("True * weight", "is not a number"),
        ("1j * weight", "is not a number"),
        ("1e999 * weight", "is not a number"),
        ("weight * 1" + "0" * 400, "is not a number that can be computed with"),
        ("(weight < 70) * 2", "is a condition where a number is needed; write '1 if ... else 0'"),
        ("1 if weight else 2", "'weight' in \"1 if weight else 2\" is no condition"),
        ("weight := 3", "is no expression"),
        ("weight; 3", "is no expression"),
        ("0.4 * 3", "has no covariate in it"),
        ("", "is no expression"),
        ("(" * 500 + "weight" + ")" * 499, "characters|is no expression"),
        ("-" * 900 + "weight", "is no expression|x"),
    ],
)
def test_what_is_refused_and_in_which_words(text, message):
    if text.startswith("-" * 900):
        Expression.parse(text)  # deep, but plain arithmetic
        return
    with pytest.raises(pk.InputError, match=message):
        Expression.parse(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [("(weight / 70) ** 0.75", "power"), ("1 + 0.4 * female", "linear"), ("1 - 0.02 * (albumin - 41)", "linear"),
     ("1.1 ** asian", "factor")],
)  # fmt: skip
def test_what_the_list_of_effects_says_is_not_said_twice(text, form):
    with pytest.raises(pk.InputError, match=f'needs no expression; write it as an .*form = "{form}"'):
        ExpressionEffect(parameter="CL", expression=Expression.parse(text))


def test_a_factor_must_be_positive_for_everybody():
    effect = ExpressionEffect(parameter="CL", expression=Expression.parse("1 - crp / 50 + 0 * weight"))
    with pytest.raises(pk.InputError, match=r"factor on CL is -0\.8 at crp = 90, weight = 120\.5 \(patient 2\)"):
        effect.on(X)
    undefined = ExpressionEffect(parameter="CL", expression=Expression.parse("1 + log(crp)"))
    with pytest.raises(pk.InputError, match="factor on CL is -inf at crp = 0"):
        undefined.on(X)


FILE = """
name = "mine"
drug = "infliximab"
title = "Mine"
compartments = 1
routes = ["iv"]

[citation]
authors = ["Me M"]
journal = "none"
year = 2026
read_in = "assumption"

[typical]
CL = { value = 0.3, unit = "L/day", tag = "D", source = "assumption" }
V1 = { value = 4.0, unit = "L", tag = "D", source = "assumption" }

[[expression]]
parameter = "CL"
factor = "(weight / 70) ** 0.7 * exp(-0.02 * (albumin - 40))"
tag = "D"
source = "assumption"

[omega]
CL = { value = 0.09, unit = "variance", tag = "D", source = "assumption" }
V1 = { value = 0.04, unit = "variance", tag = "D", source = "assumption" }

[[covariance]]
between = ["CL", "V1"]
value = 0.5
unit = "correlation"
tag = "D"
source = "assumption"
"""


def test_an_expression_in_a_file():
    model = parse(FILE)
    theta = model.typical_parameters({"weight": X["weight"], "albumin": X["albumin"]}, 3)
    factor = by_python("(weight / 70) ** 0.7 * exp(-0.02 * (albumin - 40))")
    np.testing.assert_allclose(theta[:, 0], 0.3 * np.array(factor), rtol=1e-14)
    assert model.required_covariates == ("albumin", "weight")
    np.testing.assert_allclose(model.omega, [[0.09, 0.03], [0.03, 0.04]], rtol=1e-15)
    with pytest.raises(pk.InputError, match=r"albumin: mine needs this covariate"):
        model.typical_parameters({"weight": X["weight"]}, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("albumin - 40", "albumn - 40", r"mine.toml:20: expression.0.factor: 'albumn' in .*did you mean 'albumin'"),
        ("0.7 * exp", "0.7 * exec", r"mine.toml:20: expression.0.factor: 'exec\(.*calls an unknown function"),
        ('parameter = "CL"', 'parameter = "KA"', r"mine.toml.*KA: varies or depends on a covariate"),
        ("value = 0.5", "value = 1.5", r"mine.toml:30: covariance.0.value: a correlation of 1.5"),
        ('value = 0.5\nunit = "corr', 'value = 0.1\n# "corr', r"mine.toml:28: covariance.0.unit: missing"),
        ('0.5\nunit = "correlation"', '0.1\nunit = "covariance"', r"mine.toml.*not positive definite"),
    ],
)
def test_faults_of_a_file_name_the_line_and_the_part(old, new, message):
    with pytest.raises(pk.InputError, match=message):
        parse(FILE.replace(old, new), file="mine.toml")


DECLARED = FILE.replace(
    "[[expression]]",
    """
[covariate.calprotectin]
unit = "ug/g"
low = 0.0
high = 20000.0
meaning = "faecal calprotectin"

[[effect]]
parameter = "V1"
covariate = "calprotectin"
form = "power"
value = 0.03
unit = "exponent"
reference = 700.0
reference_unit = "ug/g"
tag = "D"
source = "assumption"

[[expression]]""".strip(),
).replace("(albumin - 40))", "(albumin - 40)) * (1.2 if calprotectin > 1000 else 1)")


def test_a_covariate_of_ones_own():
    model = parse(DECLARED)
    assert model.required_covariates == ("albumin", "calprotectin", "weight")
    columns = {"weight": np.full(2, 70.0), "albumin": np.full(2, 40.0), "calprotectin": np.array([700.0, 1400.0])}
    theta = model.typical_parameters(columns, 2)
    np.testing.assert_allclose(theta[:, 0], [0.3, 0.36], rtol=1e-14)
    np.testing.assert_allclose(theta[:, 1], [4.0, 4.0 * 2.0**0.03], rtol=1e-14)
    with pytest.raises(pk.InputError, match=r"calprotectin \(faecal calprotectin\) is 0 to 20000 ug/g"):
        model.typical_parameters({**columns, "calprotectin": np.array([1.0, -3.0])}, 2)
    with pytest.raises(pk.InputError, match=r"give calprotectin \(faecal calprotectin, ug/g\) for every patient"):
        model.typical_parameters({name: columns[name] for name in ("weight", "albumin")}, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("calprotectin > 1000", "calprotektin > 1000", r"expression.0.factor: 'calprotektin' in .*'calprotectin'"),
        (
            'covariate = "calprotectin"',
            'covariate = "calpro"',
            r"mine.toml:26: effect.0.covariate: unknown covar",
        ),
        ('reference_unit = "ug/g"', 'reference_unit = "mg/g"', r"effect.0: calprotectin is declared in 'ug/g'"),
        (
            "covariate.calprotectin]",
            "covariate.weight]",
            r"covariate.weight: 'weight' is known already \(body weight, kg",
        ),
        ("high = 20000.0", "high = -1.0", r"mine.toml:20: covariate.calprotectin.low: from 0 to -1"),
        ("covariate.calprotectin]", "covariate.exp]", r"covariate.exp: 'exp' cannot name a covariate"),
    ],
)
def test_faults_of_a_declared_covariate(old, new, message):
    with pytest.raises(pk.InputError, match=message):
        parse(DECLARED.replace(old, new), file="mine.toml")


def test_antibody_terms_are_off_where_no_titre_is_given():
    model = pk.load("vedolizumab-okamoto-2021")
    columns = {name: np.array([x]) for name, x in
               {"weight": 70.0, "albumin": 40.0, "asian": 0.0, "crohns_disease": 0.0}.items()}  # fmt: skip
    assert model.typical_parameters(columns, 1)[0, 0] == 0.165
    columns["ada_titre"] = np.array([250.0])
    assert model.typical_parameters(columns, 1)[0, 0] == pytest.approx(0.246, rel=1e-14)
    assert model.typical_parameters(columns, 1, roles=frozenset())[0, 0] == 0.165
