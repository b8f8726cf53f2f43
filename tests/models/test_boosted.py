from dataclasses import replace

import numpy as np
import pytest

from churnvalue.errors import HistoryError
from churnvalue.evaluation.metrics import auc
from churnvalue.models.boosted import Fold, fit_trees, link_of, require_variety, threads_for, tune

from .conftest_helpers import LEARNT, a_definition, make_features, make_targets
