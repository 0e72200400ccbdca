"""Does a model fit a table of levels?  Visual predictive checks, and normalised prediction distribution errors.

Both compare the measured levels with many simulated replicates of the same table: same doses, covariates and sampling
times, new patients. Conditional weighted residuals (:func:`cwres`) need no replicates but linearise the model.
"""

from pkmodel.diagnostics.cwres import cwres
from pkmodel.diagnostics.npde import Npde, npde
from pkmodel.diagnostics.replicates import Replicates, simulate_replicates
from pkmodel.diagnostics.vpc import PERCENTILES, VisualCheck, visual_check

__all__ = ["PERCENTILES", "Npde", "Replicates", "VisualCheck", "cwres", "npde", "simulate_replicates", "visual_check"]
