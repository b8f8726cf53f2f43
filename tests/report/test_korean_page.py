"""The page in Korean: no English sentence but those that its data hold; the numbers are the same."""

import re
from html.parser import HTMLParser

import pytest

from churnvalue.language import speaking
from churnvalue.report.page import render

SHOWN = ("data-name", "aria-label", "placeholder", "title")
# Names of methods and files, which stay as they are.
NAMES = re.compile(
    r"churnvalue (measure|explain ID)|[\w.]+\.(parquet|json)( \(\w+\))?|Pareto/NBD|BG/NBD|AUC|RMSE|CLV|UTC|PSI"
)
ENGLISH = re.compile(r"[A-Za-z’']{2,}(?:[ ,]+[A-Za-z’']{2,})+")


class Words(HTMLParser):
    """The texts of a page that people see or hear."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._hidden = tag in ("script", "style")
        self.found += [value or "" for name, value in attrs if name in SHOWN]

    def handle_endtag(self, tag):
        self._hidden = False

    def handle_data(self, data):
        if not self._hidden:
            self.found.append(data)


@pytest.mark.parametrize("money", [True, False])
def test_no_english_sentence_stands_in_it(make_report, money):
    data = make_report(60, money=money)
    held = "\n".join(repr(vars(data)[name]) for name in ("training", "measured", "facts"))
    tables = [table for table in (data.scores, data.plan, data.sends, data.portfolios) if table is not None]
    held += "\n".join(table.to_csv() for table in tables)
    held = held.lower().replace("_", " ")
    with speaking("ko"):
        page = render(data)
    assert '<html lang="ko">' in page
    for text in Words(page).found:
        for words in ENGLISH.findall(NAMES.sub("", text)):
            assert words.lower() in held, text


def test_it_shows_the_same_numbers_as_in_english(make_report):
    data = make_report(60)
    english = render(data)
    with speaking("ko"):
        korean = render(data)
    assert render(data) == english

    def shares(page: str) -> list[str]:
        return sorted(re.findall(r">([<>−]?\d[\d,.]*%)<", page))

    assert shares(korean) == shares(english) != []
    assert "2011년 9월 1일 기준 고객" in korean
