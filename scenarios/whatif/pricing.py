"""What a regimen costs: a price of one vial or pen, or a file of prices as trials use it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pkmodel.errors import InputError
from scenarios.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class DosePrice:
    """Price of giving a dose.

    Attributes
    ----------
    per_vial
        Of every vial or pen that is opened, used up or not.
    per_mg
        Of every mg given.
    per_dose
        Of giving it, infusion or injection.
    money
        Currency, year and origin of the prices, for captions.
    """

    per_vial: float = 0.0
    per_mg: float = 0.0
    per_dose: float = 0.0
    money: str = ""

    @classmethod
    def read(cls, text: str, drug: str, route: str) -> DosePrice:
        """A number is the price of one vial or pen; anything else is the path of a price file.

        From a file count, as in trials (:mod:`scenarios.costs`), mg given and infusions or injections.

        Raises
        ------
        InputError
            For a price that is negative or not finite, and as :meth:`scenarios.prices.Prices.load` and ``needed``.
        """
        try:
            value = float(text)
        except ValueError:
            return cls._of_file(Prices.load(text), drug, route)
        if not 0.0 <= value < math.inf:
            remedy = "give the price of one vial or pen, or a price file"
            raise InputError.one(f"a price of {text}", remedy, key="--price")
        return cls(per_vial=value, money="per opened vial or pen, in the currency of --price")

    @classmethod
    def _of_file(cls, prices: Prices, drug: str, route: str) -> DosePrice:
        names = f"{drug}_mg", "injection" if route == "sc" else "infusion"
        drug_price, giving = prices.needed(names).values()
        warning = ": EXAMPLE PRICES, invented" if prices.invented else ""
        return cls(
            per_mg=drug_price.value, per_dose=giving.value,
            money=f"drug and its giving, {prices.currency} of {prices.year} ({prices.title}{warning})",
        )  # fmt: skip

    def of_dose(self, milligrams: float, vials: float) -> float:
        """Price of a dose of so many mg from so many vials (means over patients)."""
        return self.per_mg * milligrams + self.per_vial * vials + self.per_dose
