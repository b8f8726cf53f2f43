from pathlib import Path

import pytest

from churnvalue.errors import RegistryError
from churnvalue.models.digests import verify_digests, write_digests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "booster.txt").write_text("tree")
    (tmp_path / "deep" / "calibration.json").write_text("{}")
    write_digests(tmp_path)
    return tmp_path


def test_untouched_files_pass_and_digests_are_stable(folder: Path) -> None:
    verify_digests(folder)
    before = (folder / "files.json").read_bytes()
    write_digests(folder)
    assert (folder / "files.json").read_bytes() == before


@pytest.mark.parametrize("name", ["booster.txt", "deep/calibration.json"])
def test_a_damaged_or_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text("tref")
    with pytest.raises(RegistryError, match=f"{name} must be as it was registered, but its bytes changed"):
        verify_digests(folder)
    (folder / name).unlink()
    with pytest.raises(RegistryError, match=f"{name} .* cannot be read. Restore it, or promote"):
        verify_digests(folder)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_damaged_listing_is_an_error(folder: Path, text: str) -> None:
    (folder / "files.json").write_text(text)
    with pytest.raises(RegistryError, match=r"files.json must be as it was registered"):
        verify_digests(folder)
    (folder / "files.json").unlink()
    with pytest.raises(RegistryError, match=r"files.json must be as it was registered"):
        verify_digests(folder)
