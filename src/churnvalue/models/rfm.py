"""The columns in which customers come to the buy-till-you-die models, under the names that data scientists give them."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.errors import DefinitionError, near_match

# As the literature and the lifetimes package name them.
_ALSO = {"age": "T", "amount": "monetary_value"}


def column(rfm: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """Return a column of ``rfm`` as numbers; ``T`` stands for ``age``, ``monetary_value`` for ``amount``.

    >>> column(pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]}), "age")
    array([38.86])

    Raises:
        DefinitionError: If it is missing.
    """
    if name in rfm.columns:
        return rfm[name].to_numpy(np.float64, na_value=np.nan)
    also = _ALSO.get(name)
    if also in rfm.columns:
        return rfm[also].to_numpy(np.float64, na_value=np.nan)
    names = f"'{name}'" + (f" or '{also}'" if also else "")
    raise DefinitionError(f"Customers must have a column {names}.{near_match(name, rfm.columns)}")
