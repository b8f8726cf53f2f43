"""The page in a real browser: a copy with a script of its own, which tells the page around it what it finds.

The page stands in a frame, for a headless browser has no window narrower than 500 pixels.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess

import pytest

from churnvalue.report.page import render

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--virtual-time-budget=2000", "--dump-dom",
]  # fmt: skip
PROBE = """
var wrong = [];
addEventListener("error", function (event) { wrong.push(String(event.message)); });
addEventListener("securitypolicyviolation", function (event) { wrong.push(event.violatedDirective); });
addEventListener("load", function () {
  var box = document.getElementById("filter"), rows = Array.from(document.querySelectorAll("#customer-rows tr"));
  function found(words) {
    box.value = words;
    box.dispatchEvent(new Event("input"));
    return [rows.filter(function (row) { return row.offsetParent !== null; }).length,
            Number(document.getElementById("shown").textContent)];
  }
  var first = rows[0].querySelector("th").textContent;
  var told = {
    wrong: wrong, inside: innerWidth, wide: document.documentElement.scrollWidth, rows: rows.length,
    styled: getComputedStyle(document.querySelector(".tiles")).display,
    one: found(first), tier: found("SILVER"), both: found("silver voucher"), none: found("no such customer"), all: found("")
  };
  parent.postMessage(JSON.stringify(told), "*");
});
"""
AROUND = """<!doctype html><body><iframe src="page.html" style="border: 0; width: {width}px; height: 900px"></iframe>
<script>addEventListener("message", function (event) {{ document.body.setAttribute("data-told", event.data); }});</script>
"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


def hashed(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.fixture(scope="module")
def data(make_report):
    return make_report(900)


@pytest.fixture(scope="module", params=[390, 1440])
def told(request, data, tmp_path_factory):
    """Return what the page tells of itself in a frame of this width."""
    folder = tmp_path_factory.mktemp("browser")
    page = render(data).replace("script-src ", f"script-src 'sha256-{hashed(PROBE)}' ", 1)
    page = page.replace("<title>", f"<script>{PROBE}</script><title>", 1)
    (folder / "page.html").write_text(page, encoding="utf-8")
    (folder / "around.html").write_text(AROUND.format(width=request.param), encoding="utf-8")
    found = subprocess.run(
        [BROWSER, *FLAGS, "--window-size=1600,1000", f"--user-data-dir={folder / 'profile'}",
         "--enable-logging=stderr", (folder / "around.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (told,) = re.findall(r'data-told="([^"]*)"', found.stdout)
    return json.loads(told.replace("&quot;", '"')) | {
        "console": re.findall(r"CONSOLE.*", found.stderr),
        "asked": request.param,
    }


def test_the_page_loads_without_an_error_and_with_its_style(told):
    assert told["wrong"] == told["console"] == []
    assert told["styled"] == "grid"


def test_nothing_runs_over_the_edge(told):
    assert told["inside"] == told["asked"]
    assert told["wide"] <= told["inside"]


def test_the_search_shows_the_rows_that_hold_every_word(told, data):
    assert told["all"] == [told["rows"]] * 2
    assert told["one"] == [1, 1]
    assert told["none"] == [0, 0]
    assert 0 < told["tier"][0] < told["rows"]
    assert 0 < told["both"][0] < told["tier"][0]
    assert told["tier"][0] == told["tier"][1]
