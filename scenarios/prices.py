"""Prices: a data file with its currency and year, checked at the door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from pkmodel.errors import Fault, InputError, did_you_mean
from pkmodel.files import FileModel, read_toml

EXAMPLE = Path(__file__).parent / "data" / "prices" / "example.toml"
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "infliximab_mg": "1 mg of infliximab",
        "adalimumab_mg": "1 mg of adalimumab",
        "infusion": "giving an infusion",
        "injection": "giving an injection",
        "test": "a sample of a policy",
        "infusion_reaction": "an acute infusion reaction",
        "loss_of_response": "a loss of response",
    }
)
"""What can have a price, in words."""

Amount = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class _PriceFile(FileModel):
    value: Amount
    low: Amount
    high: Amount
    what: Text
    source: Text


class _PricesFile(FileModel):
    title: Text
    currency: Text
    year: Annotated[int, Field(ge=1990, le=2100)]
    status: Text
    price: dict[str, _PriceFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Price of one unit of something, and the range it is doubted in.

    Attributes
    ----------
    value, low, high
        In the currency of its file, low <= value <= high.
    what, source
        Of what, and where the number comes from ("example": invented).
    """

    value: float
    low: float
    high: float
    what: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices by name, in one currency of one year."""

    title: str
    currency: str
    year: int
    status: str
    prices: Mapping[str, Price]

    @classmethod
    def load(cls, path: str | Path = EXAMPLE) -> Prices:
        """Read a price file.

        Raises
        ------
        InputError
            With every fault of the file, also unknown names and values outside their own range.
        """
        content = read_toml(path, _PricesFile)
        faults = [
            Fault(file=str(path), key=f"price.{name}", problem="unknown price", remedy=did_you_mean(name, NAMES))
            for name in content.price
            if name not in NAMES
        ]
        faults += [
            Fault(
                file=str(path),
                key=f"price.{name}",
                problem=f"{one.value:g} does not lie between low {one.low:g} and high {one.high:g}",
                remedy="put them in order",
            )
            for name, one in content.price.items()
            if not one.low <= one.value <= one.high
        ]
        if faults:
            raise InputError(faults)
        prices = {name: Price(**one.model_dump()) for name, one in content.price.items()}
        return cls(
            title=content.title, currency=content.currency, year=content.year, status=content.status, prices=prices
        )

    def needed(self, names: Iterable[str]) -> dict[str, Price]:
        """The prices of what was used, by name.

        Raises
        ------
        InputError
            Listing every price that is missing.
        """
        wanted = list(names)
        missing = [
            Fault(
                key=f"price.{name}", problem=f"'{self.title}' has no price for {NAMES.get(name, name)}", remedy="add it"
            )
            for name in wanted
            if name not in self.prices
        ]
        if missing:
            raise InputError(missing)
        return {name: self.prices[name] for name in wanted}

    @property
    def invented(self) -> bool:
        """Whether any price is an example."""
        return self.status == "example" or any(one.source == "example" for one in self.prices.values())
