"""One patient, or many: estimates of pharmacokinetic parameters from measured levels, and forecasts from them.

:func:`fit` finds the most probable parameters (MAP), :func:`sample` the whole posterior, :func:`forecast` what
follows for the levels to come, :func:`average` weighs several published models, :func:`fit_onset` and
:func:`antibody_risk` bring in the antibody layer. For teaching and research, not
for the treatment of a patient.
"""

from pkmodel.estimation.averaging import Average, average
from pkmodel.estimation.beliefs import Beliefs, believe, from_posterior
from pkmodel.estimation.estimate import Estimate, Estimates, Mode
from pkmodel.estimation.forecasting import Forecast, auc, days_until_below, delayed, forecast, troughs
from pkmodel.estimation.mapfit import fit, fit_many
from pkmodel.estimation.onset import OnsetEstimate, fit_onset
from pkmodel.estimation.posterior import sample
from pkmodel.estimation.risk import antibody_risk

__all__ = [
    "Average",
    "Beliefs",
    "Estimate",
    "Estimates",
    "Forecast",
    "Mode",
    "OnsetEstimate",
    "antibody_risk",
    "auc",
    "average",
    "believe",
    "days_until_below",
    "delayed",
    "fit",
    "fit_many",
    "fit_onset",
    "forecast",
    "from_posterior",
    "sample",
    "troughs",
]
