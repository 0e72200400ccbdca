"""libroadrunner on the antibody task: one SBML model, compiled, run patient by patient."""

from __future__ import annotations

import ast
import importlib
from typing import Any

import numpy as np

from benchmarks.antibody import START, AntibodyTask
from benchmarks.peers import ABSOLUTE, Floats, Solve

_PARAMETERS = (
    "CL",
    "V",
    "Q",
    "V2",
    "k_extra",
    "k_ada",
    "Kss",
    "C_ag",
    "R_max",
    "tau_rise",
    "tau",
    "k_u",
)  # order of the task
_STATES = ("A_c", "A_p", "A_S", "R", "u")
_ASSIGNED = {
    "D": "A_c / V",
    "b": "D - A_S / V - Kss",
    "root": "(b * b + 4 * Kss * D) ** 0.5",
    "C": "0.5 * (b + root) if b >= 0 else 2 * Kss * D / (root - b)",
    "bound": "(D - C) * V",
    "k_cx": "CL / V + k_extra",
    "exchange": "Q * C - Q / V2 * A_p",
    "balance": "R_max * u * D / (D + C_ag)",
    "share": "balance / (balance + R + 1e-100)",
}
_RATES = {
    "A_c": "rate - CL * C - exchange - k_cx * bound",
    "A_p": "exchange",
    "A_S": "R * V - k_ada * (A_S - bound) - k_cx * bound",
    "R": "(balance - R) * (share / tau_rise + (1 - share) / tau)",
    "u": "-k_u * u",
}
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.Div: "divide", ast.Pow: "power", ast.USub: "minus",
}  # fmt: skip


def _mathml(node: ast.expr) -> str:
    """MathML of a formula; SBML knows no other way to write one."""
    match node:
        case ast.Name(id=name):
            return f"<ci> {name} </ci>"
        case ast.Constant(value=float() | int() as value):
            return f"<cn> {value} </cn>"
        case ast.BinOp(left=left, op=op, right=right):
            return f"<apply><{_OPERATORS[type(op)]}/>{_mathml(left)}{_mathml(right)}</apply>"
        case ast.UnaryOp(op=op, operand=operand):
            return f"<apply><{_OPERATORS[type(op)]}/>{_mathml(operand)}</apply>"
        case ast.IfExp(test=ast.Compare(left=left, comparators=[right]), body=body, orelse=other):
            test = f"<apply><geq/>{_mathml(left)}{_mathml(right)}</apply>"
            return f"<piecewise><piece>{_mathml(body)}{test}</piece><otherwise>{_mathml(other)}</otherwise></piecewise>"
    raise ValueError(f"no MathML for {ast.dump(node)}")


def sbml() -> str:
    """The antibody system as SBML level 3: everything is a parameter with a rate or assignment rule."""

    def rule(kind: str, name: str, formula: str) -> str:
        math = _mathml(ast.parse(formula, mode="eval").body)
        content = f'<math xmlns="http://www.w3.org/1998/Math/MathML">{math}</math>'
        return f'<{kind}Rule variable="{name}">{content}</{kind}Rule>'

    constants = "".join(f'<parameter id="{name}" value="1" constant="true"/>' for name in _PARAMETERS)
    moving = "".join(f'<parameter id="{name}" value="0" constant="false"/>' for name in (*_STATES, *_ASSIGNED, "rate"))
    rules = [rule("assignment", *item) for item in _ASSIGNED.items()] + [rule("rate", *item) for item in _RATES.items()]
    return (
        '<?xml version="1.0"?><sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">'
        f'<model id="antibody"><listOfParameters>{constants}{moving}</listOfParameters>'
        f"<listOfRules>{''.join(rules)}</listOfRules></model></sbml>"
    )


def solver(task: AntibodyTask) -> Solve:
    """CVODE (stiff), started anew where the infusion rate changes."""
    roadrunner: Any = importlib.import_module("roadrunner")
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)
    model = roadrunner.RoadRunner(sbml())
    model.timeCourseSelections = list(_STATES)
    integrator = model.getIntegrator()
    stops = [(np.append(begin, days).tolist(), running, outputs) for begin, days, running, outputs in task.stops()]
    states = np.empty((len(task), task.days.size, len(_STATES)))

    def solve(rtol: float) -> Floats:
        integrator.relative_tolerance = rtol
        integrator.absolute_tolerance = ABSOLUTE * rtol
        for row in range(len(task)):
            for name, value in zip((*_PARAMETERS, *_STATES), (*task.parameters[row], *START), strict=True):
                model.setValue(name, float(value))
            rate = float(task.rate[row])
            for times, running, outputs in stops:
                model.setValue("rate", rate if running else 0.0)
                found = model.simulate(times=times)
                states[row, outputs] = found[1 : outputs.size + 1]
        return task.observe(states)

    return solve
