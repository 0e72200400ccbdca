"""Covariate expressions: arithmetic over covariates for what the list of effects cannot say.

A text such as ``1 if ada_titre < 10 else 1.49 * (ada_titre / 250) ** 0.0713`` is parsed into Python's syntax tree and
checked against a closed list of what may stand in it; nothing of it is ever run as Python. Covariates are in
internal units (kg, g/L, mg/L, 0 or 1).
"""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from pkmodel.covariates import ABSENT_IS_ZERO, COVARIATES, ROLES, Covariate
from pkmodel.errors import InputError, did_you_mean, unknown_name
from pkmodel.structure import ALL_PARAMETERS

Floats = NDArray[np.float64]

_LONGEST = 1000  # characters; also keeps the tree shallow
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = MappingProxyType(
    # name: function, fewest and most arguments
    {
        "exp": (np.exp, 1, 1),
        "log": (np.log, 1, 1),
        "sqrt": (np.sqrt, 1, 1),
        "min": (lambda *values: _fold(np.minimum, values), 2, 9),
        "max": (lambda *values: _fold(np.maximum, values), 2, 9),
        "where": (np.where, 3, 3),
    }
)
_ARITHMETIC: Mapping[type[ast.operator], Callable[..., Any]] = MappingProxyType(
    {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power}
)
_COMPARISONS: Mapping[type[ast.cmpop], Callable[..., Any]] = MappingProxyType(
    {
        ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal,
        ast.Eq: np.equal, ast.NotEq: np.not_equal,
    }
)  # fmt: skip
_ALLOWED = "numbers, covariates, + - * / **, exp, log, sqrt, min, max, where(...), 'a if x < 1 else b', and, or, not"
_N = r"-?[\d.e+-]+"
# What an entry of [[effect]] says better, as the syntax tree prints it.
_LISTED = (
    (re.compile(rf"\(\w+ / {_N}\) \*\* {_N}"), "power"),
    (re.compile(rf"1(\.0)? [+-] {_N} \* (\w+|\(\w+ [+-] {_N}\))"), "linear"),
    (re.compile(rf"{_N} \*\* [a-z]\w*"), "factor"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A checked expression.

    Attributes
    ----------
    text
        As written.
    covariates
        Names that stand in it, sorted.
    tree
        Its checked syntax tree.
    definitions
        What each of the covariates is.
    """

    text: str
    covariates: tuple[str, ...]
    tree: ast.expr
    definitions: Mapping[str, Covariate]

    @classmethod
    def parse(cls, text: str, declared: Mapping[str, Covariate] = MappingProxyType({})) -> Expression:
        """Read and check a text; ``declared`` are covariates beside ``COVARIATES``.

        Raises
        ------
        InputError
            Quoting the expression and the part of it that is not understood.
        """
        if len(text) > _LONGEST:
            raise InputError.one(f"an expression of {len(text)} characters", f"write at most {_LONGEST}")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, RecursionError, MemoryError) as error:
            place = f" near column {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            raise InputError.one(f'"{text}" is no expression{place}', f"write {_ALLOWED}") from None
        known = {**COVARIATES, **declared}
        _Check(text.strip(), known).number(tree)
        names = {
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in known
        }  # fmt: skip
        if not names:
            raise InputError.one(f'"{text}" has no covariate in it', "put the number into [typical]")
        return cls(text, tuple(sorted(names)), tree, {name: known[name] for name in names})

    def evaluate(self, columns: Mapping[str, Floats]) -> Floats:
        """Return the values for covariates of shape (patient,); not finite where they are not defined."""
        with np.errstate(all="ignore"):  # a branch not taken may be undefined; the caller looks at the result
            found = _value(self.tree, columns)
        n = columns[self.covariates[0]].shape
        return np.ascontiguousarray(np.broadcast_to(np.asarray(found, dtype=np.float64), n))

    def listed_form(self) -> str:
        """The form of ``[[effect]]`` that says the same; empty if none does."""
        plain = ast.unparse(self.tree)
        return next((form for pattern, form in _LISTED if pattern.fullmatch(plain)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionEffect:
    """One factor on one parameter, given by an expression.

    Attributes
    ----------
    parameter
        Which parameter is multiplied.
    expression
        The factor; positive and finite for every patient.
    role
        As in :class:`pkmodel.covariates.CovariateEffect`. In a role other than "covariate" those covariates that
        describe antibodies, co-therapy or the regimen are 0 where not given.
    """

    parameter: str
    expression: Expression
    role: str = "covariate"

    def __post_init__(self) -> None:
        for kind, name, valid in (("parameter", self.parameter, ALL_PARAMETERS), ("role", self.role, ROLES)):
            if name not in valid:
                raise unknown_name(kind, name, valid, key=kind)
        if form := self.expression.listed_form():
            remedy = f'write it as an [[effect]] with form = "{form}"'
            raise InputError.one(f'"{self.expression.text}" needs no expression', remedy, key="factor")

    @property
    def covariates(self) -> tuple[str, ...]:
        """Covariates that it uses."""
        return self.expression.covariates

    def definition(self, covariate: str) -> Covariate:
        """What a covariate is."""
        return self.expression.definitions[covariate]

    def absent(self, covariate: str) -> float | None:
        """Value of a covariate that is not given; None if it must be."""
        return 0.0 if self.role != "covariate" and covariate in ABSENT_IS_ZERO else None

    def one_at_zero(self) -> bool:
        """Whether the factor is 1 by construction where its covariate is 0; not known of an expression."""
        return False

    def on(self, columns: Mapping[str, Floats]) -> Floats:
        """Return the factor, shape (patient,).

        Raises
        ------
        InputError
            If it is not positive and finite for everybody.
        """
        found = self.expression.evaluate(columns)
        bad = ~((found > 0.0) & (found < math.inf))
        if bad.any():
            row = int(np.argmax(bad))
            at = ", ".join(f"{name} = {columns[name][row]:g}" for name in self.covariates)
            raise InputError.one(
                f'the factor on {self.parameter} is {found[row]:g} at {at} (patient {row}): "{self.expression.text}"',
                "a factor is positive and finite; bound it with max(...) or a condition",
                key=self.parameter,
            )
        return found


class _Check:
    """Walks through a tree once and refuses everything that is not listed."""

    def __init__(self, text: str, known: Mapping[str, Covariate]) -> None:
        self.text, self.known = text, known

    def number(self, node: ast.expr) -> None:
        """Check something that must be a number."""
        match node:
            case ast.Constant(value=value):
                if isinstance(value, bool) or not isinstance(value, int | float):
                    self.refuse(node, "is not a number")
                if abs(value) > sys.float_info.max:
                    self.refuse(node, "is not a number that can be computed with", "write a smaller one")
            case ast.Name(id=name):
                if name not in self.known:
                    self.refuse(node, "is no covariate", did_you_mean(name, self.known, what="covariates"))
            case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=inner):
                self.number(inner)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
                self.number(left)
                self.number(right)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.condition(test)
                self.number(body)
                self.number(orelse)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                self.call(node, name, args)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                self.refuse(node, "is a condition where a number is needed", "write '1 if ... else 0'")
            case _:
                self.refuse(node, "is not allowed")

    def condition(self, node: ast.expr) -> None:
        """Check something that must be true or false."""
        match node:
            case ast.Compare(left=left, ops=ops, comparators=comparators) if all(
                type(op) in _COMPARISONS for op in ops
            ):
                for part in (left, *comparators):
                    self.number(part)
            case ast.BoolOp(values=values):
                for part in values:
                    self.condition(part)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                self.condition(inner)
            case _:
                self.refuse(node, "is no condition", "compare two numbers, as in 'albumin < 35'")

    def call(self, node: ast.expr, name: str, args: list[ast.expr]) -> None:
        if name not in FUNCTIONS:
            self.refuse(node, "calls an unknown function", did_you_mean(name, FUNCTIONS, what="functions"))
        _, fewest, most = FUNCTIONS[name]
        if not fewest <= len(args) <= most:
            needed = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            self.refuse(node, f"has {len(args)} arguments", f"{name} takes {needed}")
        if name == "where":
            self.condition(args[0])
            args = args[1:]
        for part in args:
            self.number(part)

    def refuse(self, node: ast.expr, problem: str, remedy: str = "") -> NoReturn:
        part = ast.get_source_segment(self.text, node) or ast.unparse(node)
        inside = "" if part == self.text else f' in "{self.text}"'
        raise InputError.one(f"'{part}'{inside} {problem}", remedy or f"allowed are {_ALLOWED}")


def _value(node: ast.expr, columns: Mapping[str, Floats]) -> Any:
    """The value of a checked tree."""
    match node:
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return columns[name]
        case ast.UnaryOp(op=operator, operand=inner):
            found = _value(inner, columns)
            if isinstance(operator, ast.Not):
                return np.logical_not(found)
            return np.negative(found) if isinstance(operator, ast.USub) else found
        case ast.BinOp(left=left, op=operator, right=right):
            return _ARITHMETIC[type(operator)](_value(left, columns), _value(right, columns))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return np.where(_value(test, columns), _value(body, columns), _value(orelse, columns))
        case ast.Compare():
            return _fold(np.logical_and, list(_comparisons(node, columns)))
        case ast.BoolOp(op=operator, values=values):
            both = np.logical_and if isinstance(operator, ast.And) else np.logical_or
            return _fold(both, [_value(part, columns) for part in values])
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name][0](*[_value(part, columns) for part in args])
    raise AssertionError(ast.dump(node))  # the check lets nothing else through


def _comparisons(node: ast.Compare, columns: Mapping[str, Floats]) -> Iterator[Any]:
    values = [_value(part, columns) for part in (node.left, *node.comparators)]
    for operator, left, right in zip(node.ops, values, values[1:], strict=False):
        yield _COMPARISONS[type(operator)](left, right)


def _fold(function: Callable[..., Any], values: Any) -> Any:
    found = values[0]
    for value in values[1:]:
        found = function(found, value)
    return found
