"""The pages of the course in a browser that has no network: from the disk, with the keyboard, on a narrow screen."""

import pytest

from sdm_lite.reproduce.__main__ import main
from sdm_lite.reproduce.site import GUIDANCE_SCALES

PAGES = ("index", "00_start_here", "docs/errata")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    assert main(["--site", str(folder)]) == 0
    return folder


@pytest.fixture
def page(browser):
    """A page without network on a phone's screen; `page.errors` has what went wrong in it."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, offline=True)
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("requestfailed", lambda request: page.errors.append(request.url))
    yield page
    context.close()


def test_pages_open_from_the_disk_and_fit_a_narrow_screen(site, page, shot):
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        shot(page, name.replace("/", "-"))
    assert page.errors == []


def test_the_slider_moves_the_pictures_by_the_keyboard(site, page):
    page.goto((site / "index.html").as_uri())
    tile = page.locator(".guidance .tile:not(.map)").first
    seen = []
    page.locator(".guidance input").focus()
    page.keyboard.press("Home")
    for _ in GUIDANCE_SCALES:
        place = tile.evaluate("tile => getComputedStyle(tile).backgroundPosition")
        seen.append((page.locator(".guidance output").inner_text(), place))
        page.keyboard.press("ArrowRight")
    assert [float(scale) for scale, _ in seen] == list(GUIDANCE_SCALES)
    assert len({place for _, place in seen}) == len(GUIDANCE_SCALES)
    assert page.locator(".guidance .still").is_hidden()


def test_the_search_finds_a_section_and_goes_there(site, page):
    page.goto((site / "docs" / "errata.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("group norm")
    assert "places" in page.locator("#found").inner_text()
    first = page.locator("#results li a").first
    words = page.locator("#results li").first.inner_text().lower()
    assert "group" in words or "norm" in words
    page.keyboard.press("Enter")  # to the first hit
    assert first.evaluate("link => link === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_url("**/*.html#*")
    assert page.evaluate("document.getElementById(decodeURIComponent(location.hash.slice(1))) !== null")
    page.locator("#words").fill("xyzzy")
    assert page.locator("#found").inner_text() == "Nothing found."


def test_on_paper_there_is_text_and_the_whole_picture_and_nothing_to_press(site, page):
    page.goto((site / "index.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(".guidance .still").is_visible() and page.locator(".guidance input").is_hidden()
    assert page.locator("#search").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_scripts_the_whole_picture_stands_in_the_place_of_the_slider(site, browser):
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    assert page.locator(".guidance .still").is_visible() and page.locator("#search").is_hidden()
    context.close()
