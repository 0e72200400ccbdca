"""What estimation hands to its kernels: many patients' records as flat arrays. No numba here: it is imported early."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# kinds of entries, in the order in which those of one moment take effect: a sample is a limit from the left
SAMPLE, INFUSION_END, RESET, EPOCH, OCCASION, INFUSION, BOLUS = range(7)


class Records(NamedTuple):
    """Many patients' records, flat, each patient's part between its offsets.

    Attributes
    ----------
    entry_offsets, time, kind, value
        (patient + 1,), then (entry,): days, the kinds above, and mg, mg/d, or a row of ``typical``.
    depot_offsets, depot_time, depot_amount
        Doses into the depot, day and mg; they arrive after the patient's lag.
    typical
        (epoch, parameter) typical parameters, one row for each change of a covariate.
    level_offsets, level, lloq
        (patient + 1,), then (level,) mg/L; NaN where the level is below ``lloq``.
    z_offsets
        (patient + 1,) where each patient's random effects lie.
    chol, eta_columns
        (eta, eta) Cholesky factor of omega; columns of the parameters with an eta.
    iov_sd, iov_columns
        (iov,) standard deviations of the between-occasion effects, and their columns.
    residual
        Proportional and additive standard deviation, and the correlation of the two errors.
    """

    entry_offsets: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    value: np.ndarray
    depot_offsets: np.ndarray
    depot_time: np.ndarray
    depot_amount: np.ndarray
    typical: np.ndarray
    level_offsets: np.ndarray
    level: np.ndarray
    lloq: np.ndarray
    z_offsets: np.ndarray
    chol: np.ndarray
    eta_columns: np.ndarray
    iov_sd: np.ndarray
    iov_columns: np.ndarray
    residual: np.ndarray
