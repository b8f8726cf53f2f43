"""What a session makes of Ctrl-C, and of texts that have the same digest."""

from pathlib import Path

import pytest

from churnvalue.config import parse_config
from churnvalue.engines import codes
from churnvalue.engines.duck import DuckEngine
from churnvalue.engines.session import Session


def test_ctrl_c_during_a_query_is_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt), Session(Path()):
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="Something else"), Session(Path()):
        raise RuntimeError("Something else")


@pytest.mark.parametrize("same", ["1::UBIGINT", "(hash({text}) % 2)::UBIGINT"])
def test_texts_of_one_digest_get_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: str) -> None:
    rows = [f"c{i},2011-06-{i + 1:02}T12:00,{i},{'uvw'[i % 3]},{'' if i % 4 else 'web'}" for i in range(9)]
    (tmp_path / "log.csv").write_text("\n".join(["customer_id,event_time,amount,category,channel", *rows, *rows]))
    columns = {name: name for name in ("amount", "category", "channel")}
    config = parse_config({"events": [{"source": "log.csv", "timezone": "UTC", "columns": columns}]}, tmp_path)
    expected = DuckEngine(tmp_path).read(config)
    digest, salts = codes._digest, []

    def collides(text: str, salt: int) -> str:
        salts.append(salt)
        return same.format(text=text) if salt < 2 else digest(text, salt)

    monkeypatch.setattr(codes, "_digest", collides)
    found = DuckEngine(tmp_path).read(config)
    assert max(salts) == 2
    assert found.customers.equals(expected.customers)
    for name in ("channel", "categories", "kind"):
        assert getattr(found, name).codes.tolist() == getattr(expected, name).codes.tolist()
    assert found.amount.tolist() == expected.amount.tolist()
