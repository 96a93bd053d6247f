"""The page of runs in a browser: what it does, and that it contacts no server."""

import io
import json
import os
import shutil
import statistics
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_report as fixtures
from PIL import Image

from texjax.report import page as pages

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
IDS = [f"r{i}" for i in range(8)]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("there is no chromium, chromium-browser or google-chrome on this machine")
    with sync_api.sync_playwright() as playwright:
        is_root = os.name == "posix" and os.getuid() == 0  # Chromium's sandbox does not start as root
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if is_root else [])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A sweep of r0 to r7: octaves 1 2 1 2 ..., two sources, falling losses; r5 failed, r6 pending, r7 of 3 outputs."""
    folder = tmp_path_factory.mktemp("page")
    sources = [
        fixtures.noise(folder / "given" / name, 48, 64, seed) for seed, name in enumerate(("bark.png", "moss.png"))
    ]
    swept = {name: {"octaves": i % 2 + 1, "terms.a.layers": {"pool1": 1.0}} for i, name in enumerate(IDS)}
    fixtures.sweep(
        folder, {name: keys | {"source": sources[i // 4].name} for i, (name, keys) in enumerate(swept.items())}
    )
    for i, name in enumerate(IDS):
        if name == "r6":
            continue
        config = {"octaves": i % 2 + 1, "seed": i, "terms": {"a": {"layers": {"pool1": 1.0}}}}
        lines = [{"step": s, "loss": 2.0**-i / (s + 1), "terms": {"a": 1.0 / (s + 1), "b": 0.5}} for s in range(20)]
        about = {"status": "failed", "error": "the device ran out of memory"} if name == "r5" else {}
        run = fixtures.record(folder / "runs" / name, sources[i // 4], config, lines, seconds=100.0 - i, **about)
        if name != "r5":
            for k in range(3 if name == "r7" else 1):
                fixtures.noise(run / (f"image_{k:04d}.png" if name == "r7" else "image.png"), 48, 64, 10 * i + k)
    (folder / "runs" / "r0" / "measures.json").write_text('{"seam": 1.5}')
    pages.write(folder)
    return folder


@pytest.fixture
def show(browser, folder) -> Iterator:
    """A function that opens the page; no page may report an error or request anything but files."""
    complaints, addresses, contexts = [], [], []

    def show(address: str = "", path: Path | None = None, size=DESKTOP, **settings):
        contexts.append(browser.new_context(viewport=size, reduced_motion="reduce", **settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message) or dialog.dismiss())
        page.on("request", lambda request: addresses.append(request.url))
        page.goto((path or folder / "report.html").as_uri() + address)
        return page

    yield show
    for context in contexts:
        context.close()
    assert complaints == []
    assert {address.partition(":")[0] for address in addresses} <= {"file", "data"}


def cards(page) -> list[str]:
    return page.eval_on_selector_all(".card", "all => all.filter(c => !c.hidden).map(c => c.dataset.id)")


def go(page, address: str) -> None:
    """Set the part of the address after #, and wait until the page's state follows it."""
    page.evaluate("address => { clearTimeout(writing); location.hash = address; }", address)
    wanted = json.dumps(dict(urllib.parse.parse_qsl(address)))
    wait(page, f"Object.entries({wanted}).every(([key, value]) => state[key] === value)")


def wait(page, condition: str) -> None:
    """Wait until a JavaScript condition holds; `wait_for_function` would evaluate it in a way that the page forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {condition}")


def shot(page, selector: str) -> np.ndarray:
    """Return a screenshot of an element, [h, w, 3]."""
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB"))


def contains(picture: np.ndarray, part: np.ndarray) -> bool:
    """Return whether the picture contains the part, pixel for pixel."""
    h, w = part.shape[:2]
    corner = (picture[: picture.shape[0] - h + 1, : picture.shape[1] - w + 1] == part[0, 0]).all(2)
    return any((picture[y : y + h, x : x + w] == part).all() for y, x in zip(*np.nonzero(corner), strict=True))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", IDS),
        ("bark", IDS[:4]),
        ("-bark", IDS[4:]),
        ("octaves=2 moss", ["r5", "r7"]),
        ("seed>=6", ["r7"]),
        ("seed!=3 bark", ["r0", "r1", "r2"]),
        ("loss<0.005", ["r4", "r5", "r7"]),
        ("layers~POOL", IDS),
        ('"out of memory"', ["r5"]),
        ("status=pending", ["r6"]),
        ("seam>1", ["r0"]),
        ("nonsense=1", []),
        ("<img", []),
    ],
)
def test_filter(show, query, expected):
    """Run ri has octaves i % 2 + 1, seed i and the final loss 2^-i / 20; the first four runs have the source bark."""
    page = show()
    page.fill("#filter", query)
    assert cards(page) == expected
    summary = page.inner_text("#summary")
    assert summary.startswith("8 runs" if len(expected) == 8 else f"{len(expected)} of 8 runs")
    assert ("no run has the key “nonsense”" in summary) == query.startswith("nonsense")
    assert page.is_visible("#nothing") == (not expected)


def test_chips_filter(show):
    page = show()
    page.click(".card[data-id=r1] .chip:has-text('octaves')")
    assert page.input_value("#filter") == "octaves=2" and cards(page) == ["r1", "r3", "r5", "r7"]
    page.click("#statuses .chip.failed")
    assert cards(page) == ["r5"]
    assert "out of memory" in page.inner_text(".card[data-id=r5] .error")


def test_sort(show):
    page = show()
    page.select_option("#sort", "loss")
    assert cards(page) == [*reversed([*IDS[:6], "r7"]), "r6"]  # a run without a loss comes last
    page.click("#down")
    assert cards(page) == [*IDS[:6], "r7", "r6"]
    page.select_option("#sort", "seam")
    assert cards(page)[0] == "r0"
    # The inner text would be empty until the browser has drawn the card at its new place.
    assert "1.5" in (page.text_content(".card[data-id=r0] .facts") or "")


def test_grid(show):
    page = show("#view=grid")
    assert page.locator("thead th").all_inner_texts() == ["1", "2"]
    assert page.locator("#grid tbody th").all_inner_texts() == ["bark.png", "moss.png"]
    cell = "#grid tbody tr:nth-child({}) td:nth-of-type({}) label"
    assert page.locator(cell.format(1, 1)).all_inner_texts() == ["r0", "r2"]
    assert page.locator(cell.format(2, 2)).all_inner_texts() == ["r5", "r7"]
    page.select_option("#x", "seed")
    page.select_option("#y", "none")
    assert page.locator("thead th").all_inner_texts() == ["0", "1", "2", "3", "4", "5", "7", "–"]


def test_table_shows_what_differs(show):
    page = show("#view=table&q=bark")
    heads = page.locator("#table thead th").all_inner_texts()
    assert heads == ["run", "status", "octaves", "seed", "final loss", "time", "peak memory", "steps", "seam"]
    page.select_option("#ref", "r1")
    row = page.locator("#table tr[data-id=r3] td")
    assert [row.nth(i).get_attribute("class") for i in (1, 2)] == ["equal", "unequal"]
    page.click("#table thead button:has-text('final loss')")
    assert page.get_attribute("#table th:has-text('final loss')", "aria-sort") == "ascending"


def opened(show, address: str, **settings):
    page = show(address, **settings)
    wait(page, "panes.length && panes.every(pane => pane.layers.every(layer => layer.width))")
    return page


def test_zoom_is_shared(show):
    page = opened(show, "#open=r0,r1,r2,r3&info=0")
    transforms = "() => panes.map(pane => pane.layers[0].canvas.style.transform)"
    assert page.locator(".pane").count() == 5  # the source as well
    before = set(page.evaluate(transforms))
    box = page.locator(".pane").nth(1).bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 40)
    page.mouse.wheel(0, -300)
    after = set(page.evaluate(transforms))
    assert len(before) == len(after) == 1 and before != after
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 90)
    page.mouse.up()
    assert len(moved := set(page.evaluate(transforms))) == 1 and moved != after
    page.keyboard.press("Shift+ArrowLeft")
    assert len(again := set(page.evaluate(transforms))) == 1 and again != moved
    page.keyboard.press("0")
    assert set(page.evaluate(transforms)) == before


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_pixel_is_a_pixel(show, folder, ratio):
    page = opened(show, "#open=r0&zoom=1&info=0", device_scale_factor=ratio)
    assert page.inner_text("#zoom") == "100 %"
    assert contains(shot(page, ".pane.result"), pixels(folder / "runs" / "r0" / "image.png"))
    assert contains(shot(page, ".pane.source"), pixels(folder / "given" / "bark.png"))


def test_a_repeated_picture_is_seamless(show, folder):
    page = opened(show, "#open=r0&info=0&zoom=1")
    page.keyboard.press("t")
    page.click("[data-do=exact]")
    wait(page, "panes[1].layers[0].width === 128")
    assert contains(shot(page, ".pane.result"), np.tile(pixels(folder / "runs" / "r0" / "image.png"), (2, 2, 1)))


def test_slider(show, folder):
    page = opened(show, "#open=r1&info=0&zoom=1")
    page.keyboard.press("s")
    wait(page, "panes[0].layers.every(layer => layer.width)")
    source, result = pixels(folder / "given" / "bark.png"), pixels(folder / "runs" / "r1" / "image.png")
    seen = shot(page, ".view")
    # The handle on the divide, with its shadow, covers 42 of the 64 px.
    assert contains(seen, source[:, :10]) and contains(seen, result[:, -10:]) and not contains(seen, source[:, :40])
    page.focus("#split")
    page.keyboard.press("End")
    page.mouse.move(0, 0)
    assert contains(shot(page, ".view"), source)
    page.select_option("#left", "run r3")
    wait(page, "panes[0].layers.every(layer => layer.width)")
    assert contains(shot(page, ".view"), pixels(folder / "runs" / "r3" / "image.png"))
    box = page.locator(".divide").bounding_box()
    page.mouse.move(box["x"] + 10, 300)
    page.mouse.down()
    page.mouse.move(0, 300)
    page.mouse.up()
    assert contains(shot(page, ".view"), result)


def test_pictures_of_a_run(show):
    page = show("#q=r7")
    page.click(".card[data-id=r7] .leaf button:last-child")
    assert "image_0001.png" in page.get_attribute(".card[data-id=r7] .shot img", "src")
    page.click(".card[data-id=r7] .pair")
    assert page.inner_text("#output") == "1/3"
    page.keyboard.press("ArrowUp")
    assert page.inner_text("#output") == "3/3"
    assert "image_0002.png" in page.get_attribute(".pane.result img", "src")


def test_keys(show):
    page = show()
    page.keyboard.press("/")
    page.keyboard.type("bark")
    assert page.evaluate("document.activeElement.id") == "filter" and len(cards(page)) == 4
    page.focus(".card[data-id=r0] .pair")
    focused = "document.activeElement.closest('[data-id]').dataset.id"
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "r1"
    page.keyboard.press("x")
    assert page.inner_text("#count") == "2 selected"
    page.keyboard.press("c")
    assert page.locator(".pane").count() == 3 and page.inner_text("#vtitle") == "2 runs"
    page.keyboard.press("Escape")
    assert not page.is_visible("#viewer") and page.evaluate(focused) == "r1"
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#vtitle") == "r2"
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help") and page.is_visible("#viewer")


def test_information(show):
    page = opened(show, "#open=r0&info=1")
    assert page.locator(".curves path").count() == 3  # the loss and two terms
    text = page.inner_text("#details")
    assert "texjax synthesize" in text and "1 MiB" in text and "1.7 min" in text  # 2^20 bytes and 100 s
    page.select_option("#details select", "r1")
    assert page.locator("#details ins").all_inner_texts() == ["1", "0"]
    assert page.locator("#details del").all_inner_texts() == ["2", "1"]


def test_copy(show):
    page = opened(show, "#open=r0&info=1", permissions=["clipboard-read", "clipboard-write"])
    page.click(".command button")
    wait(page, "document.querySelector('.command button').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == "texjax synthesize"


def test_light_and_dark(show):
    background = "getComputedStyle(document.body).backgroundColor"
    light, page = show(color_scheme="light"), show(color_scheme="dark")
    dark = page.evaluate(background)
    assert dark != light.evaluate(background)
    page.click("#theme")
    assert page.evaluate(background) == light.evaluate(background)
    # The browser stores the choice in another process, perhaps after the page has been loaded again.
    for _ in range(100):
        page.reload()
        if page.evaluate(background) == light.evaluate(background):
            break
        page.wait_for_timeout(100)
    assert page.evaluate(background) == light.evaluate(background), "the choice is not remembered"


def test_a_phone(show):
    page = show(size=PHONE)
    for address in ("", "view=grid", "view=table", "open=r0", "open=r0,r1,r2,r3&info=1", "open=r7&mode=slider"):
        go(page, address)
        widths = "['html', '#viewer', '.vbar', '#details'].map(s => document.querySelector(s).scrollWidth)"
        assert max(page.evaluate(widths)) <= PHONE["width"], address
        assert page.evaluate("[...document.querySelectorAll('button')].every(b => b.getBoundingClientRect().left >= 0)")


def test_the_address_keeps_the_view(show):
    page = show()
    page.fill("#filter", "bark")
    page.select_option("#sort", "loss")
    for name in ("r0", "r2"):
        page.check(f".card[data-id={name}] .tick")
    page.click("#compare")
    page.keyboard.press("+")
    wait(page, "location.hash.includes('zoom')")
    again = show(page.evaluate("location.hash"))
    assert (again.input_value("#filter"), again.input_value("#sort")) == ("bark", "loss")
    assert again.inner_text("#vtitle") == "2 runs"
    assert again.inner_text("#zoom") == page.inner_text("#zoom")


def test_everything_has_a_name(show):
    page = show("#open=r0,r5&info=1")
    for address in ("open=r0,r5&info=1", "view=grid", "view=table", "q=bark"):
        go(page, address)
        assert page.eval_on_selector_all("img:not([alt])", "all => all.length") == 0
        named = "e => e.ariaLabel || e.textContent.trim() || e.labels?.length || e.title"
        nameless = f"all => all.filter(e => !({named})(e)).map(e => e.outerHTML)"
        assert page.eval_on_selector_all("button, select, input, [role=img]", nameless) == []


def test_no_text_becomes_markup(show, tmp_path):
    folder = fixtures.sweep(tmp_path, {f"r{i}": {word: word, "source": word} for i, word in enumerate(fixtures.NASTY)})
    for i, word in enumerate(fixtures.NASTY):
        source = fixtures.noise(tmp_path / f"{word.replace('/', '_')}.png")
        about: dict[str, Any] = {"status": "interrupted", "error": word, "command": word}
        fixtures.noise(fixtures.record(folder / "runs" / f"r{i}", source, {word: i}, **about) / "image.png")
        (folder / "runs" / f"r{i}" / "measures.json").write_text(json.dumps({word: i}))
    page = show(path=pages.write(folder))
    for address in ("view=sheet", "view=grid", "view=table&ref=r1", "open=r0", "open=r0,r1,r2,r3,r4&info=1", "q=<img"):
        go(page, address)
        assert page.locator("img[src=x]").count() == 0 and page.locator("script").count() == 2
    assert cards(page) == ["r0"]
    assert page.inner_text(".card[data-id=r0] .error") == fixtures.NASTY[0]


def test_an_embedding_page_is_complete(show, folder, tmp_path):
    """The page is the only file in its folder, as when it is sent by mail."""
    page = show("#open=r0&zoom=1&info=0", path=pages.write(folder, tmp_path / "page.html", embed=True))
    wait(page, "panes.every(pane => pane.layers[0].width)")
    assert contains(shot(page, ".pane.result"), pixels(folder / "runs" / "r0" / "image.png"))


def test_a_served_page_follows(browser, tmp_path):
    folder = fixtures.sweep(tmp_path / "sweep", {"a": {"octaves": 1}, "b": {"octaves": 2}})
    source = fixtures.noise(tmp_path / "bark.png")
    fixtures.noise(fixtures.record(folder / "runs" / "a", source) / "image.png")
    with fixtures.served(folder) as (_, port):
        page = browser.new_page()
        addresses = []
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(f"http://127.0.0.1:{port}/#q=octaves")
        assert page.inner_text(".card[data-id=b] .badge") == "pending"
        fixtures.noise(fixtures.record(folder / "runs" / "b", source) / "image.png")
        page.wait_for_selector(".card[data-id=b] .shot img", timeout=20_000)
        assert page.input_value("#filter") == "octaves"
        page.close()
    assert all(address.startswith((f"http://127.0.0.1:{port}/", "data:")) for address in addresses)


@pytest.mark.slow
def test_five_hundred_runs(show, tmp_path):
    """Noise is what thumbnails compress worst: the page has less than 15 MB, and a keystroke takes less than 100 ms."""
    folder = fixtures.sweep(tmp_path, {f"{i:03d}": {"octaves": i % 5, "seed": i} for i in range(500)})
    lines = [{"step": s, "loss": 0.5**s, "terms": {"a": 0.5**s, "b": 0.1}} for s in range(200)]
    source = fixtures.noise(tmp_path / "bark.png", 256, 256)
    for i in range(500):
        run = fixtures.record(folder / "runs" / f"{i:03d}", source, {"octaves": i % 5, "seed": i}, lines)
        fixtures.noise(run / "image.png", 256, 256, i)
    path = pages.write(folder)
    assert path.stat().st_size < 15e6
    page = show(path=path)
    assert len(cards(page)) == 500
    typing = """query => {
        byId('filter').value = query;
        const begin = performance.now();
        byId('filter').dispatchEvent(new Event('input'));
        return performance.now() - begin;
    }"""
    times = [page.evaluate(typing, "octaves=3 seed<100"[:n]) for n in range(19)]
    assert statistics.median(times) < 100
    assert len(cards(page)) == 20
