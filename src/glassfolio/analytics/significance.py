"""How sure a slope is: p-values from what is kept of a fit.

Apart from the fit, because they follow from it and need not be stored.
"""

import numpy as np
from scipy.special import stdtr

from glassfolio.model.market import FloatArray, IntArray


def p_values(value: FloatArray, stderr: FloatArray, n: IntArray, dof: FloatArray) -> FloatArray:
    """Two-sided p-values of the hypothesis that a slope is 0, Student's t with n - dof - 1.

    value, stderr: (..., K), n, dof: (...), as in `regression.Fit`. NaN where there is no slope, no standard
    error, or one of 0: what is left of the residuals is rounding then.
    Checked against statsmodels OLS.pvalues to 1e-8.
    """
    known = np.where(stderr > 0, stderr, np.nan)
    p: FloatArray = 2 * stdtr((n - dof - 1)[..., None], -np.abs(value / known))
    return p
