import pytest

from churnvalue.features import families
from churnvalue.report.themes import theme


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("days_since_last_purchase", "silence since the last purchase"),
        ("silence_to_gap_message_open", "silence since the last message opened"),
        ("event_count_visit_30d", "how many visits lately"),
        ("pace_visit_90d", "how many visits lately"),
        ("amount_total_purchase_365d", "how much they spend"),
        ("days_first_to_last_purchase", "how often and how long they came back"),
        ("zodiac_sign", "zodiac sign"),
    ],
)
def test_features_speak_of_few_themes(feature, expected):
    assert theme(feature) == expected


def test_every_family_has_a_theme_without_open_places():
    for family in families():
        assert theme(f"{family}_purchase_90d") != f"{family}_purchase_90d".replace("_", " ")
        assert "{" not in theme(family)
