"""What-if search: which dose and interval bring the trough into a target window, and how sure that is.

Every cell of a grid of doses and intervals is evaluated on the same virtual patients (common random numbers), or on
the same draws from one patient's posterior.  ``search_population`` and ``search_patient`` return a :class:`Ranking`;
``choose_steady`` is the same choice for many patients at once, for policies.  For research and teaching; no answer of
this package is a prescription.
"""

from scenarios.whatif.answer import sentence
from scenarios.whatif.choosing import Choice, choose_cells
from scenarios.whatif.grid import Grid, Limits, Option, load_grid
from scenarios.whatif.patient import search_patient
from scenarios.whatif.population import search_population
from scenarios.whatif.pricing import DosePrice
from scenarios.whatif.ranking import Ranking
from scenarios.whatif.steady import choose_steady

__all__ = [
    "Choice", "DosePrice", "Grid", "Limits", "Option", "Ranking", "choose_cells", "choose_steady", "load_grid",
    "search_patient", "search_population", "sentence",
]  # fmt: skip
