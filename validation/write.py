"""Write what the calibration found: parameter files, cut-offs, parameter sets, and the record of the fit.

The texts carry no date and their numbers have six significant digits: the same search gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pkmodel
from validation import space, targets
from validation.search import Effort, Found

DATA = Path(pkmodel.__file__).parent / "data"
HERE = Path(__file__).parent
DRUGS = ("infliximab", "adalimumab")
_OF_CLEARANCE = {
    "clearance_scale": "patients negative by the sponsor's assay have the published clearance",
    "eta_CL_scale": "patients negative by the sponsor's assay have the published variability of clearance",
    "imm_clearance": "1: the PK model's own immunomodulator effect on CL applies in full; 0: not at all; fitted so "
    "that with what it does to antibodies the published effect comes out",
}
STATUS = "calibrated on eleven published figures (validation/calibration.toml); see the uncertainty there"


def number(value: float) -> str:
    """A number with six significant digits, as TOML."""
    text = f"{value:.6g}"
    return text if any(mark in text for mark in ".en") else f"{text}.0"


def texts(found: Found, effort: Effort, seed: int) -> dict[Path, str]:
    """All files to write, by path relative to the repository."""
    values = space.named(found.best)
    out: dict[Path, str] = {}
    for drug in DRUGS:
        path = DATA / "immunogenicity" / f"{drug}.toml"
        text = _status(path.read_text(encoding="utf-8"), _notes(drug))
        for name, value in space.layer(values, drug).items():
            text = _entry(text, name, value, _source(name, drug))
        out[path] = text
        path = DATA / "response" / f"{drug}.toml"
        text = _status(path.read_text(encoding="utf-8"), None)
        for name, value in space.response(values, drug).items():
            text = _entry(text, name, value, _source(name, drug))
        out[path] = text
    path = DATA / "assays.toml"
    out[path] = _assays(path.read_text(encoding="utf-8"), space.cutoffs(values))
    out[DATA / "calibrated-sets.csv"] = sets_text(found.points)
    out[HERE / "calibration.toml"] = record_text(found, effort, seed)
    return out


def sets_text(points: NDArray[np.float64]) -> str:
    """The table of parameter sets."""
    rows = []
    for point in points:
        values = space.named(point)
        row: dict[str, float] = {}
        for drug in DRUGS:
            row |= {f"{drug}.antibody.{name}": value for name, value in space.layer(values, drug).items()}
            row |= {f"{drug}.response.{name}": value for name, value in space.response(values, drug).items()}
        row |= {f"assay.{family}.cutoff": value for family, value in space.cutoffs(values).items()}
        rows.append(row)
    head = list(rows[0]) if rows else []
    lines = ["# Parameter sets inside the accept range of every calibration figure; 1/day, mg/L, mg/L/day."]
    lines.append(",".join(head))
    lines += [",".join(f"{row[name]:.6g}" for name in head) for row in rows]
    return "\n".join(lines) + "\n"


def record_text(found: Found, effort: Effort, seed: int) -> str:
    """The record of the fit: figures, seed, effort, what was found, and how well each parameter is identified."""
    lines = [
        "# The record of a calibration, written by: python -m validation.calibrate",
        f"seed = {seed}",
        f"evaluated = {found.evaluated}  # points simulated",
        f"accepted = {len(found.points)}  # parameter sets inside every accept range",
        f"drawn = {found.drawn}  # points of the posterior tried for them",
        "",
        "[effort]",
        *(f"{name} = {value}" for name, value in asdict(effort).items()),
    ]
    for target, value, column in zip(targets.targets(), found.best_values, found.values.T, strict=True):
        low, high = np.quantile(column, (0.025, 0.975)) if column.size else (np.nan, np.nan)
        lines += [
            "",
            "[[fitted]]",
            f'target = "{target.name}"',
            f"published = {number(target.value)}",
            f"standard_error = {number(target.error)}",
            f'scale = "{target.scale}"  # that of the standard error; a share is in percent',
            f"predicted = {number(value)}",
            f"sets = [{number(low)}, {number(high)}]  # 2.5 and 97.5 % of the accepted sets",
        ]
    values = space.named(found.best)
    sets = np.array([list(space.named(point).values()) for point in found.points]).reshape(-1, len(space.FREE))
    for k, free in enumerate(space.FREE):
        low, high = np.quantile(sets[:, k], (0.025, 0.975)) if len(sets) else (np.nan, np.nan)
        shrunk = 1.0 - float(np.std(found.points[:, k])) if len(sets) else np.nan
        lines += [
            "",
            "[[parameter]]",
            f'name = "{free.name}"',
            f'unit = "{free.unit}"',
            f"value = {number(values[free.name])}",
            f"sets = [{number(low)}, {number(high)}]  # 2.5 and 97.5 %",
            f'prior = "{number(free.centre)}, SD {number(free.sd)} ({free.scale}); {free.why}"',
            f"narrowed = {number(round(shrunk, 3))}  # 1 - SD of the sets / SD of the prior; 0: not identified",
        ]
    lines += ["", "# Correlations between parameters of the sets beyond 0.4 (prior scale)."]
    lines += _correlations(found.points)
    return "\n".join(lines) + "\n"


def correlations(points: NDArray[np.float64], least: float = 0.4) -> list[tuple[str, str, float]]:
    """Pairs of parameters whose values in the sets go together, strongest first."""
    if len(points) < 8:
        return []
    matrix = np.atleast_2d(np.corrcoef(points.T))
    pairs = [
        (space.NAMES[i], space.NAMES[j], float(matrix[i, j]))
        for i in range(len(space.NAMES))
        for j in range(i)
        if abs(matrix[i, j]) >= least
    ]
    return sorted(pairs, key=lambda pair: -abs(pair[2]))


def _correlations(points: NDArray[np.float64]) -> list[str]:
    lines = []
    for first, second, value in correlations(points):
        lines += ["", "[[correlation]]", f'between = ["{first}", "{second}"]', f"value = {value:.2f}"]
    return lines


def _source(name: str, drug: str) -> str:
    if name == "lambda_mech":
        return "prior 0.06 per year (log SD 0.5), hardly informed by the figures; validation/calibration.toml"
    if name == "p_max":
        return "calibrated (PANTS primary non-response); one value for both drugs; validation/calibration.toml"
    if name == "EC50" and drug == "adalimumab":
        return "infliximab's times a ratio, prior 1.5 (log SD 0.3); how far narrowed: validation/calibration.toml"
    if name in ("t_e", "hill", "EC50", "EC50_sd", "tau_rise"):
        prior = next(one for one in space.FREE if one.name in (name, f"{name} {drug}"))
        return (
            f"prior {prior.centre:g} {prior.unit} (log SD {prior.sd:g}); how far narrowed: validation/calibration.toml"
        )
    if name == "C_relapse":
        return "half of EC50, the ratio of the stated priors (1 of 2 mg/L infliximab, 2 of 4 adalimumab)"
    if name == "priming_half_life":
        return "prior 110 days: Ungar 2014, doi:10.1136/gutjnl-2013-305259; validation/calibration.toml"
    if name in _OF_CLEARANCE:
        return f"{_OF_CLEARANCE[name]}; validation/calibration.toml"
    if name == "hla_factor":
        return (
            "conditional multiplier that gives the marginal hazard ratio 1.90 (1.60-2.25) of Sazonovs 2020, "
            "doi:10.1053/j.gastro.2019.09.041; validation/calibration.toml"
        )
    if drug == "adalimumab" and name in space.layer({key: 1.0 for key in space.NAMES}, drug) and name != "h0":
        return "shared with infliximab: adalimumab's own figures cannot identify it; validation/calibration.toml"
    return "calibrated; spread and correlations in validation/calibration.toml"


def _notes(drug: str) -> str:
    if drug == "infliximab":
        return (
            "Fitted by python -m validation.calibrate to the calibration figures only. Quite different sets fit the "
            "same figures almost equally well: simulate with several of pkmodel/data/calibrated-sets.csv "
            "(pkmodel.uncertainty) before trusting a difference."
        )
    return (
        "Only the onset hazard is adalimumab's own (Karmiris 2009, with the older ELISA's cut-off borrowed for its "
        "assay); everything else is infliximab's, for want of figures that could identify it."
    )


def _status(text: str, notes: str | None) -> str:
    text = re.sub(r'^status = ".*"$', f'status = "{STATUS}"', text, count=1, flags=re.M)
    if notes is None:
        return text
    return re.sub(r'^notes = """.*?"""$', f'notes = """{notes}"""', text, count=1, flags=re.M | re.S)


def _entry(text: str, name: str, value: float, source: str) -> str:
    pattern = rf"(\[parameters\.{re.escape(name)}\]\n)value = \S+\n(unit = [^\n]*\n)source = [^\n]*\n"
    new, count = re.subn(pattern, rf'\g<1>value = {number(value)}\n\g<2>source = "{source}"\n', text)
    if count != 1:
        raise ValueError(f"no entry for {name}")
    return new


def _assays(text: str, cutoffs: Mapping[str, float]) -> str:
    for family, value in cutoffs.items():
        how = (
            f"cut-off borrowed from {space.BORROWED[family]}, which has figures of its own"
            if family in space.BORROWED
            else "cut-off calibrated (validation/calibration.toml)"
        )
        pattern = rf'(name = "{re.escape(family)}"[^\[]*?(?:\[[^\]]*\][^\[]*?)?)cutoff = "[^"]*"'
        text, count = re.subn(pattern, rf'\g<1>cutoff = "{number(value)} mg/L"', text, count=1)
        if count != 1:
            raise ValueError(f"no cut-off for {family}")
        block = re.compile(rf'(name = "{re.escape(family)}".*?\nsource = ")([^"]*)("\nstatus = ")[^"]*(")', re.S)
        found = block.search(text)
        if found is None:
            raise ValueError(f"no source for {family}")
        status = "borrowed, uncalibrated" if family in space.BORROWED else "calibrated"
        new = found[1] + _rest(found[2], how) + found[3] + status + found[4]
        text = text[: found.start()] + new + text[found.end() :]
    return text


def _rest(source: str, how: str) -> str:
    """The source of everything else, with a new first clause on the cut-off."""
    clauses = [clause.strip() for clause in source.split(";")]
    return "; ".join([how, *(clause for clause in clauses if not clause.startswith("cut-off"))])
