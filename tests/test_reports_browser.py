"""report.html in a real browser: offline, without errors, readable on every screen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import sample_run
from browser import Browser, found
from testcard.core.runfile import RunFile
from testcard.reports import render

SCREENS = [(1280, False), (1280, True), (390, False), (390, True)]
"""(width in pixels, dark)"""

_UNREADABLE = """
(() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const linear = c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(c => linear(c / 255))
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = channels(getComputedStyle(node).backgroundColor);
      if (a > 0) return [r, g, b];
    }
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility() || node.closest("script, style")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(channels(node.closest("svg") ? style.fill : style.color)), light(behind(node))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${node.tagName} ${node.textContent.slice(0, 40)}`);
  }
  return found;
})()
"""
"""Visible texts whose contrast is under 4.5:1 (WCAG 2.2, 1.4.3)."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, which must be there in CI."""
    program = found()
    if program is None and os.environ.get("CI"):
        pytest.fail("no Chromium: CI has to install one")
    if program is None:
        pytest.skip("no Chromium or Chrome found: install one, for example `apt-get install chromium`")
    with Browser(program) as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the sample run, hostile texts and all."""
    directory = tmp_path_factory.mktemp("run")
    sample_run.write_run(directory)
    render(directory, sample_run.summary(), RunFile(directory))
    return directory / "report.html"


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_it_opens_offline_without_an_error(browser: Browser, report: Path, width: int, dark: bool) -> None:
    """The file is the only thing that is asked for; nothing is refused by its policy, and no script fails."""
    browser.open(report, width=width, dark=dark)
    browser.evaluate("new Promise(requestAnimationFrame)")
    asked = [request["request"]["url"] for request in browser.told("Network.requestWillBeSent")]
    assert asked == [report.as_uri()]
    assert browser.told("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_every_text_can_be_read(browser: Browser, report: Path, width: int, dark: bool) -> None:
    """Contrast is at least 4.5:1 light and dark, and nothing sticks out sideways on a phone."""
    browser.open(report, width=width, dark=dark)
    assert browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)") is None
    assert browser.evaluate(_UNREADABLE) == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is not dark


@pytest.mark.parametrize("width", [1280, 390])
def test_the_charts_are_there_and_their_letters_are_big_enough(browser: Browser, report: Path, width: int) -> None:
    """Each screen has three charts with lines in them, whose labels are at least 10 pixels high."""
    browser.open(report, width=width)
    charts = browser.evaluate("""
      [...document.querySelectorAll("figure svg.chart")].filter(svg => svg.checkVisibility()).map(svg => ({
        title: svg.getAttribute("aria-label"),
        lines: [...svg.querySelectorAll(".series path")].filter(path => path.getTotalLength() > 100).length,
        letters: Math.min(...[...svg.querySelectorAll("text")].map(text => text.getBoundingClientRect().height)),
        outside: [...svg.querySelectorAll("text")].filter(text => {
          const [box, frame] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
          return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
        }).map(text => text.textContent),
      }))""")
    assert [chart["title"] for chart in charts] == ["Latency by percentile", "Latency over time", "Outcomes over time"]
    for chart in charts:
        assert chart["lines"] >= 2
        assert chart["letters"] >= 10
        assert chart["outside"] == []


def test_the_verdict_and_what_to_do_are_on_the_first_screen(browser: Browser, report: Path) -> None:
    """On a laptop and on a phone, verdict, advice and known failures need no scrolling."""
    for width in (1280, 390):
        browser.open(report, width=width)
        for part in (".verdict .word", ".todo ol", ".known"):
            assert browser.evaluate(f"document.querySelector('{part}').getBoundingClientRect().bottom") <= 900, part


def test_on_a_phone_what_was_measured_of_a_claim_needs_no_sideways_scrolling(browser: Browser, report: Path) -> None:
    """Claims and SLOs stand below each other: the verdict and what it rests on fit the screen."""
    browser.open(report, width=390)
    wide = browser.evaluate(
        "(() => { const t = document.querySelector('.claims'); return t.scrollWidth - t.clientWidth })()"
    )
    assert wide <= 0


def test_text_of_a_server_does_not_run(browser: Browser, report: Path) -> None:
    """The hostile text is on the page as text: no element came of it."""
    browser.open(report)
    assert browser.evaluate("document.images.length") == 0
    assert browser.evaluate("document.body.textContent.includes('</script><img src=x onerror=alert(1)>')") is True


def test_a_point_can_be_read_out_and_a_command_copied(browser: Browser, report: Path) -> None:
    """The point nearest to the pointer says its value under the chart; the copy button copies the whole curl line."""
    browser.open(report)
    said = browser.evaluate("""(() => {
      const figure = document.querySelector("#latency-by-percentile"), svg = figure.querySelector(".wide svg");
      const box = svg.getBoundingClientRect();
      const at = {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
      svg.dispatchEvent(new PointerEvent("pointermove", at));
      return figure.querySelector("output").textContent;
    })()""")
    assert said.startswith("p")
    browser.evaluate("document.execCommand = () => { window.copied = String(getSelection()); return true }")
    browser.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    browser.evaluate("document.querySelector('button.copy').click()")
    assert browser.evaluate("window.copied").strip() == sample_run.requirement_results()[0].reproduce


@pytest.mark.parametrize("parts", [(True, False), (False, True), (False, False)])
def test_a_run_with_missing_parts_opens_too(browser: Browser, tmp_path: Path, parts: tuple[bool, bool]) -> None:
    """Without load, without requirements, without either: no error, and the verdict is there."""
    sample_run.write_run(tmp_path, iter(()), footer=False)
    summary = replace(sample_run.summary(requirements=parts[0], load=parts[1]), ended="cut-off")
    render(tmp_path, summary, RunFile(tmp_path))
    browser.open(tmp_path / "report.html", width=390, dark=True)
    assert browser.told("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    assert browser.evaluate("document.querySelector('.word').textContent") == "BROKEN"
    assert browser.evaluate(_UNREADABLE) == []


def test_it_prints_dark_on_white(browser: Browser, report: Path) -> None:
    """Printed from a dark screen, the paper is white and the texts are dark."""
    browser.open(report, dark=True, media="print")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate(_UNREADABLE) == []
