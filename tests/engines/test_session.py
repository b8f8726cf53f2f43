"""What a session makes of Ctrl-C."""

from pathlib import Path

import pytest

from churnvalue.engines.session import Session


def test_ctrl_c_during_a_query_is_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt), Session(Path()):
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="Something else"), Session(Path()):
        raise RuntimeError("Something else")
