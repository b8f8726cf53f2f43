"""Earlier tiers: which ones count, and that scoring again writes the same bytes."""

import pandas as pd
import pytest
from small_shop import AS_OF_DATE

from churnvalue.errors import OutputError
from churnvalue.jobs.score import score
from churnvalue.storage import read_manifest

EARLIER = "2024-11-01"


def files(folder):
    return {name: (folder / name).read_bytes() for name in ("scores.parquet", "manifest.json")}


@pytest.fixture(scope="module")
def kept(shop, tmp_path_factory):
    """A folder with scores of November, and then of December."""
    folder = tmp_path_factory.mktemp("kept")
    before = score(shop.config, EARLIER, folder)
    return folder, before, score(shop.config, AS_OF_DATE, folder)


def test_without_earlier_scores_there_is_no_earlier_tier(shop):
    assert shop.scores["previous_tier"].isna().all()
    assert read_manifest(shop.out)["facts"]["score"]["previous_cutoff"] is None


def test_the_scores_that_the_folder_held_say_who_keeps_a_tier(shop, kept):
    folder, before, scores = kept
    earlier = before.set_index("customer_id")["tier"]
    held = scores["previous_tier"].dropna()
    assert held.tolist() == earlier.reindex(scores.loc[held.index, "customer_id"]).tolist()
    assert read_manifest(folder)["facts"]["score"]["previous_cutoff"] == EARLIER
    # The same numbers, but fewer tiers change than without the memory.
    columns = [name for name in scores if name not in ("tier", "previous_tier", "drivers", "spend_drivers")]
    pd.testing.assert_frame_equal(scores[columns], shop.scores[columns])
    changes = [(each.loc[held.index, "tier"] != held).sum() for each in (scores, shop.scores)]
    assert 0 < changes[0] < changes[1]


def test_scoring_again_into_the_same_folder_writes_the_same_bytes(shop, kept):
    folder, *_ = kept
    first = files(folder)
    score(shop.config, AS_OF_DATE, folder)
    assert files(folder) == first


def test_the_folder_of_earlier_scores_may_be_named(shop, kept, tmp_path):
    folder, _, scores = kept
    score(shop.config, EARLIER, tmp_path / "november")
    named = score(shop.config, AS_OF_DATE, tmp_path / "december", previous=tmp_path / "november")
    assert (tmp_path / "december" / "scores.parquet").read_bytes() == (folder / "scores.parquet").read_bytes()
    assert named["tier"].tolist() == scores["tier"].tolist()


def test_scores_that_are_later_or_damaged_have_no_say_but_may_not_be_named(shop, kept, tmp_path):
    folder, before, _ = kept
    for name, data in files(folder).items():
        (tmp_path / name).write_bytes(data)
    fresh = score(shop.config, EARLIER, tmp_path)
    assert fresh["tier"].tolist() == before["tier"].tolist()
    with (tmp_path / "scores.parquet").open("ab") as file:
        file.write(b"x")
    assert score(shop.config, AS_OF_DATE, tmp_path)["previous_tier"].isna().all()
    with pytest.raises(OutputError, match=r"of a cutoff before 2024-12-01, but those in .* are as of 2024-12-01"):
        score(shop.config, AS_OF_DATE, previous=folder)
    with pytest.raises(OutputError, match=r"must hold manifest\.json"):
        score(shop.config, AS_OF_DATE, previous=tmp_path / "nowhere")


def test_the_threshold_of_below_zero_is_that_of_the_configuration(shop):
    few, many = (
        (score(shop.changed(retention={"below_zero": share}), AS_OF_DATE)["tier"] == "below zero").sum()
        for share in (0.9, 0.02)
    )
    assert few < many
