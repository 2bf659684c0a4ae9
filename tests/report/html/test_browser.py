"""The page in a real Chromium: no error, every picture there, the switch works, phone and dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from stored_report import store
from stored_runs import written

from trpo_repro.report.collection import Stored
from trpo_repro.report.html.page import page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("NO CHROMIUM HERE: THE REPORT WAS NOT TESTED IN A BROWSER (apt: chromium)")
    driver = pytest.importorskip("playwright.sync_api")
    with driver.sync_playwright() as engine:
        running = engine.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    results = tmp_path_factory.mktemp("results")
    store(results)
    written(results, [0.0, 0.5, 1.0], "task=hopper")
    path = results / "report.html"
    path.write_bytes(page(Stored(results)))
    return path.as_uri()


def opened(browser: Any, address: str, **context: Any) -> tuple[Any, list[str]]:
    """Return the page and the list that everything goes to that it complains of."""
    tab, said = browser.new_context(offline=True, **context).new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("requestfailed", lambda request: said.append(request.url))
    tab.goto(address)
    return tab, said


LINES = """() => [...document.querySelectorAll('#figure4-cartpole .scatterlayer .js-line')]
    .map(line => getComputedStyle(line).stroke)"""
BROKEN = "() => [...document.images].filter(i => !(i.complete && i.naturalWidth)).length"
TOO_WIDE = "() => document.documentElement.scrollWidth - window.innerWidth"


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_complaint_every_picture_and_nothing_too_wide(
    browser: Any, address: str, width: int, scheme: Any
) -> None:
    size: Any = {"width": width, "height": 900}
    tab, said = opened(browser, address, viewport=size, color_scheme=scheme)
    assert tab.evaluate("document.images.length") >= 6
    assert tab.evaluate(BROKEN) == 0
    tab.evaluate("document.querySelectorAll('.ledger details').forEach(d => { d.open = true })")
    assert tab.evaluate(TOO_WIDE) <= 0
    for panel in tab.locator(".panel:visible").all():
        drawn, held = panel.locator("svg.main-svg").first.bounding_box(), panel.bounding_box()
        assert held is not None
        assert drawn is not None
        assert 200 < drawn["width"] <= held["width"]
    black = "rgb(0, 0, 0)"
    assert (black in tab.evaluate(LINES)) == (scheme == "light")  # CMA-ES is drawn in black
    assert said == []


def test_algorithms_can_be_switched_off_and_on_in_every_panel(browser: Any, address: str) -> None:
    tab, said = opened(browser, address)
    every = len(tab.evaluate(LINES))
    assert every == 2 * 3  # single path, vine, CMA-ES: each a line and the edge of its band
    boxes = tab.locator("#figure4 fieldset")
    boxes.get_by_label("vine").uncheck()
    assert not tab.locator("#atari fieldset").get_by_label("vine").is_checked()
    assert tab.locator("#figure5-pong .scatterlayer .js-line").count() == 0
    assert len(tab.evaluate(LINES)) == every - 2
    boxes.get_by_label("single path").uncheck()
    assert tab.locator("#figure4-hopper .scatterlayer .js-line").count() == 0
    boxes.get_by_label("vine").check()
    boxes.get_by_label("single path").check()
    assert len(tab.evaluate(LINES)) == every
    assert said == []


def test_a_curve_is_read_off_by_pointing(browser: Any, address: str) -> None:
    tab, _ = opened(browser, address)
    tab.locator("#figure4-cartpole .nsewdrag").first.hover()
    read = tab.locator("#figure4-cartpole .hoverlayer").text_content()
    assert "single path : 2 [1, 3], n = 3" in read


def test_folded_figures_have_their_size_when_they_are_opened(browser: Any, address: str) -> None:
    tab, _ = opened(browser, address, viewport={"width": 400, "height": 900})
    tab.get_by_text("The same against simulated steps").click()
    drawn = tab.locator("#figure4_steps-cartpole, #figure4-steps-cartpole").first
    assert 300 < drawn.locator("svg.main-svg").first.bounding_box()["width"] < 400


def test_without_javascript_and_in_print_the_drawings_are_shown(browser: Any, address: str) -> None:
    tab, _ = opened(browser, address, java_script_enabled=False)
    assert tab.get_by_alt_text("Figure 4: score against policy iterations").is_visible()
    assert tab.locator(".panel:visible").count() == 0
    assert tab.locator(".switch:visible").count() == 0
    tab, _ = opened(browser, address)
    image = tab.get_by_alt_text("Figure 4: score against policy iterations")
    assert not image.is_visible()
    tab.emulate_media(media="print")
    assert image.is_visible()
    assert tab.locator(".panel:visible").count() == 0
