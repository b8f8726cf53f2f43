"""The made experiment, drawn once."""

import pytest
from made_experiment import Made, make_experiment


@pytest.fixture(scope="session")
def made() -> Made:
    return make_experiment()
