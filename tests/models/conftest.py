"""The made-up base of customers, learnt once."""

from pathlib import Path

import pytest

from churnvalue.config import Config, parse_config
from made_customers import Base, make_base


@pytest.fixture(scope="session")
def base() -> Base:
    return make_base()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Defaults, in a folder of its own."""
    return parse_config({"events": [{"source": "events.csv"}]}, tmp_path)
