"""The elementary functions of the operator table, in numpy float64."""

from __future__ import annotations

from typing import Any

import numpy as np


class NumpyMath:
    """The namespace `m` of the operator table's formulas, for numpy arrays and numbers."""

    exp, log, log1p, tanh, sqrt, sin, cos = (
        np.exp, np.log, np.log1p, np.tanh, np.sqrt, np.sin, np.cos,
    )  # fmt: skip
    abs, maximum, minimum, where = np.abs, np.maximum, np.minimum, np.where

    @staticmethod
    def erf(a: Any) -> Any:
        from scipy.special import erf  # takes a while to import, and gelu alone needs it

        return erf(a)
