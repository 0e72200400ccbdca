"""The verbs for one's own data and patients: ``pkmodel check``, ``export``, ``whatif``, ``vpc``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scenarios.console import progress_bar, warnings_told

if TYPE_CHECKING:
    from pkmodel.antibody import Immunogenicity
    from pkmodel.drug import PopulationModel
    from pkmodel.windows import TargetWindow
    from scenarios.whatif import DosePrice, Grid, Limits, Ranking

_PATH = click.Path(path_type=Path)
_SEED = click.IntRange(0, 2**64 - 1)
_MISUSE = 2
_NOT_CARE = "For research and teaching; not for treating a patient."
_time_unit = click.option("--time-unit", metavar="UNIT", help="Unit of a bare TIME column: d, h, weeks.")


@click.command("check")
@click.argument("file", type=_PATH)
@click.option("--model", metavar="MODEL", help="Judge compartments and covariates for this model too.")
@_time_unit
@click.pass_context
def check(ctx: click.Context, file: Path, model: str | None, time_unit: str | None) -> None:
    """List every fault of a table (FILE.csv, NONMEM-style) or of a patient file (FILE.toml).

    Exit code 0 if it can be used, 2 if not.
    """
    from pkmodel.library import load

    drug = load(model) if model else None
    if file.suffix.lower() == ".toml":
        from pkmodel.patient_file import read_patient

        one = read_patient(file).record
        click.echo(f"{file}: patient {one.id}, {len(one.doses)} doses, {len(one.levels)} levels; no fault found")
        return
    from pkmodel.nonmem import check_table

    found = check_table(file, time_unit=time_unit, model=drug)
    for fault in found.faults:
        click.echo(f"fault    {fault}")
    for warning in found.warnings:
        click.echo(f"warning  {warning}")
    click.echo(f"{file}: {len(found.faults)} faults, {len(found.warnings)} warnings", err=True)
    if found.faults:
        ctx.exit(_MISUSE)


@click.command("export")
@click.argument("result", type=_PATH)
@click.option("--nonmem", "file", type=_PATH, required=True, metavar="FILE.csv", help="Write a NONMEM-style table.")
@click.option("--arm", metavar="NAME", help="Of the scenario. [default: the only one]")
def export(result: Path, file: Path, arm: str | None) -> None:
    """Write doses given and levels measured of a RESULT (the directory of a run with --ledger) as a table.

    Times are in days, levels in ug/mL: read it again with --time-unit d.
    """
    from pkmodel.errors import InputError
    from pkmodel.nonmem import write_table
    from scenarios.ledger_export import table_of_run

    if file.exists():
        raise InputError.one(f"{file} is there already", "name another file", key="--nonmem")
    with warnings_told():
        table = table_of_run(result, arm)
    try:
        write_table(table, file)
    except OSError as error:
        raise InputError.one(f"cannot write {file}: {error.strerror}", "name a file", key="--nonmem") from error
    click.echo(f"{table.ids.size} patients, {int(table.doses.sum())} doses, {int(table.used.sum())} levels: {file}")


@click.command("whatif")
@click.argument("patient", type=_PATH, required=False)
@click.option("--drug", "model", metavar="MODEL", help="Model. [default: the patient file's]")
@click.option("--cohort", metavar="NAME", help="Patients without levels: a cohort, by name or file.")
@click.option("--target", default="4-7", show_default=True, metavar="WINDOW", help="Such as 4-7, '>= 5 ug/mL', taxit.")
@click.option("--probability", default=0.8, show_default=True, metavar="P", help="Asked probability of the target.")
@click.option("--patients", default=500, show_default=True, type=click.IntRange(10, 1_000_000), metavar="N",
              help="Virtual patients, or draws from the patient's posterior.")  # fmt: skip
@click.option(
    "--antibodies", metavar="NAME", help="Antibody layer, such as infliximab: their risk (slower). [default: none]"
)
@click.option("--vials", is_flag=True, help="For a cohort: whole vials instead of mg/kg.")
@click.option("--max-dose", metavar="DOSE", help="Such as '10 mg/kg'. [default: the drug's]")
@click.option("--intervals", metavar="LIST", help="Allowed intervals, such as '4 weeks, 8 weeks'.")
@click.option("--budget", type=float, metavar="MG", help="Most drug, mg per patient and year.")
@click.option("--price", metavar="P", help="Of one vial or pen, in any currency; or a file of prices, as for cost.")
@click.option("--next", "coming", default=3, show_default=True, type=click.IntRange(1, 100), metavar="K",
              help="Troughs whose share in the window is told by itself.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, type=_SEED, metavar="S")
@click.option("--out", type=_PATH, metavar="DIR", help="Write table and figure there.")
def whatif(
    patient: Path | None,
    model: str | None,
    cohort: str | None,
    target: str,
    probability: float,
    patients: int,
    antibodies: str | None,
    vials: bool,
    max_dose: str | None,
    intervals: str | None,
    budget: float | None,
    price: str | None,
    coming: int,
    seed: int,
    out: Path | None,
) -> None:
    """Search dose and interval for a trough in a target window.

    For one patient with levels (PATIENT.toml), or for a cohort (--drug and --cohort). For research and teaching;
    not for treating a patient.
    """
    from pkmodel.errors import InputError

    if (patient is None) == (cohort is None):
        raise InputError.one(
            "whatif needs a patient file or a cohort", "write PATIENT.toml, or --drug MODEL --cohort NAME"
        )
    how = {"probability": probability, "price": price, "seed": seed, "coming": coming}
    with warnings_told():
        if patient is not None:
            ranking = _one(patient, model, target, (max_dose, intervals, budget), patients, _layer(antibodies), how)
        else:
            assert cohort is not None
            if model is None:
                raise InputError.one(
                    "which model?", "write --drug MODEL; 'pkmodel list models' names them", key="--drug"
                )
            layer = _layer(antibodies)
            ranking = _many(model, cohort, target, (max_dose, intervals, budget), patients, layer, vials, how)
    _tell(ranking, out)


def _one(
    file: Path, model: str | None, target: str, asked: Any, draws: int, layer: Immunogenicity | None,
    how: dict[str, Any],
) -> Ranking:  # fmt: skip
    from pkmodel.errors import InputError
    from pkmodel.library import load
    from pkmodel.patient_file import read_patient
    from scenarios.whatif import load_grid
    from scenarios.whatif.patient import search_patient

    patient = read_patient(file)
    if not (model or patient.model):
        raise InputError.one(
            "no model", "write model = '...' in the file, or --drug MODEL", key="model", file=str(file)
        )
    drug = load(model or patient.model)
    if drug.drug != patient.drug:
        remedy = f"take a model of {patient.drug}"
        raise InputError.one(
            f"'{patient.drug}', but {drug.name} is for {drug.drug}", remedy, key="drug", file=str(file)
        )
    grid = load_grid(drug.drug)
    with progress_bar(f"{file.name}: {drug.name}") as progress:
        ranking, estimate = search_patient(
            drug, patient, _window(target, drug), grid, limits=_limits(grid, *asked), immunogenicity=layer,
            draws=draws, progress=progress, **how | {"price": _price(how["price"], drug)},
        )  # fmt: skip
    for warning in estimate.warnings:
        click.echo(f"Warning: {warning}", err=True)
    return ranking


def _many(
    model: str, cohort: str, target: str, asked: Any, patients: int, layer: Immunogenicity | None, vials: bool,
    how: dict[str, Any],
) -> Ranking:  # fmt: skip
    from pkmodel.library import load
    from scenarios.cohorts import Cohort
    from scenarios.whatif import load_grid, search_population

    drug = load(model)
    grid = load_grid(drug.drug, per_weight=not vials)
    people = Cohort.load(cohort).sample(patients, seed=how["seed"])
    with progress_bar(f"{drug.name}: {patients:,} patients") as progress:
        return search_population(
            drug, people, _window(target, drug), grid, limits=_limits(grid, *asked), immunogenicity=layer,
            progress=progress, **how | {"price": _price(how["price"], drug)},
        )  # fmt: skip


def _price(text: str | None, model: PopulationModel) -> DosePrice | None:
    from scenarios.whatif import DosePrice

    return None if text is None else DosePrice.read(text, model.drug, model.structure.routes[0])


def _layer(name: str | None) -> Immunogenicity | None:
    from pkmodel.antibody import Immunogenicity

    return None if name in (None, "none") else Immunogenicity.load(str(name))


def _window(text: str, model: PopulationModel) -> TargetWindow:
    """A window by name, or as a range; a bare range is in ug/mL, which every answer repeats."""
    from pkmodel import units, windows
    from pkmodel.windows import TargetWindow

    if text in windows.windows():
        return windows.load(text, model.drug)
    bare = not any(letter.isalpha() for letter in text.replace("to", ""))
    low, high = units.window(f"{text} ug/mL" if bare else text)
    return TargetWindow(name="target", drug=model.drug, low=low, high=high)


def _limits(grid: Grid, max_dose: str | None, intervals: str | None, budget: float | None) -> Limits:
    from pkmodel import units
    from scenarios.whatif import Limits

    allowed = None if intervals is None else tuple(units.time_d(part) for part in intervals.split(","))
    return Limits(
        max_dose=grid.limits.max_dose if max_dose is None else units.dose(max_dose), intervals=allowed, budget=budget
    )


def _tell(ranking: Ranking, out: Path | None) -> None:
    from scenarios.whatif import sentence
    from scenarios.whatif.ranking import table_lines

    click.echo("\n".join(table_lines(ranking)))
    click.echo("* no allowed regimen is both likelier and cheaper (Pareto front)")
    if ranking.money:
        click.echo(f"cost/year: {ranking.money}")
    click.echo(f"\n{sentence(ranking)}")
    click.echo(_NOT_CARE, err=True)
    if out is None:
        return
    from scenarios.figures.dose_by_interval import save
    from scenarios.outputs import output_directory

    with output_directory(out) as folder:
        ranking.to_csv(folder / "whatif.csv")
        save(ranking, folder / "whatif.png")
        (folder / "answer.txt").write_text(f"{sentence(ranking)}\n{_NOT_CARE}\n", encoding="utf-8")
    click.echo(f"Written to {out}", err=True)


@click.command("vpc")
@click.argument("table", type=_PATH)
@click.option("--model", "name", required=True, metavar="MODEL", help="The model to check.")
@_time_unit
@click.option("--bins", "by", default="visits", show_default=True, type=click.Choice(["visits", "after-dose"]),
              help="By time of the table, or by time after the last dose.")  # fmt: skip
@click.option("--corrected", is_flag=True, help="Prediction-corrected (doses or covariates differ in a bin).")
@click.option("--rule", "rules", multiple=True, metavar="COV=RULE", help="nocb (default), locf or linear. Repeatable.")
@click.option("--replicates", default=500, show_default=True, type=click.IntRange(100, 100_000), metavar="K")
@click.option("--seed", default=1, show_default=True, type=_SEED, metavar="S")
@click.option("--out", type=_PATH, required=True, metavar="DIR", help="Write figures and numbers there.")
def vpc(
    table: Path, name: str, time_unit: str | None, by: str, corrected: bool, rules: tuple[str, ...], replicates: int,
    seed: int, out: Path,
) -> None:  # fmt: skip
    """Compare a model with the levels of a TABLE: visual predictive check and NPDE."""
    from pkmodel.diagnostics import npde, simulate_replicates, visual_check
    from pkmodel.library import load
    from pkmodel.nonmem import read_table
    from scenarios.figures.diagnostics import save_npde, save_vpc
    from scenarios.outputs import output_directory

    with warnings_told():
        model = load(name)
        data = read_table(table, time_unit=time_unit, model=model)
        with progress_bar(f"{name}: {replicates} replicates of {table.name}") as progress:
            simulated = simulate_replicates(
                model, data, replicates=replicates, seed=seed, rules=_rules(rules), progress=progress
            )
        check_ = visual_check(simulated, by=by, corrected=corrected)
        errors = npde(simulated)
    with output_directory(out) as folder:
        check_.to_csv(folder / "vpc.csv")
        errors.to_csv(folder / "npde.csv")
        save_vpc(check_, folder / "vpc.png")
        save_npde(errors, folder / "npde.png")
    click.echo(errors.text())
    click.echo(f"Written to {out}", err=True)


def _rules(texts: tuple[str, ...]) -> dict[str, str]:
    from pkmodel.errors import InputError

    found = {}
    for text in texts:
        name, equals, rule = text.partition("=")
        if not equals:
            raise InputError.one(f"'{text}' is no rule", "write e.g. --rule albumin=locf", key="--rule")
        found[name.strip()] = rule.strip()
    return found
