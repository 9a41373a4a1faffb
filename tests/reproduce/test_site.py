"""The pages of the course: every link leads somewhere, nothing comes from a network, and everybody can read them."""

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from made_notebooks import network_loads
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pygments.formatters import HtmlFormatter

from sdm_lite.reproduce import NOTEBOOKS, runner
from sdm_lite.reproduce.__main__ import main
from sdm_lite.reproduce.catalogue import lessons
from sdm_lite.reproduce.course import REPOSITORY_URL
from sdm_lite.reproduce.execute import Outcome
from sdm_lite.reproduce.pages import TEMPLATES, anchor
from sdm_lite.reproduce.site import DOCS, GUIDANCE_ROWS, GUIDANCE_SCALES, write_site

STEMS = [path.stem for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]


class Page(HTMLParser):
    """What a page has: ids, links, what it loads, headings in order, pictures without words."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.ids, self.links, self.loads = path, set(), [], []
        self.headings, self.nameless, self.tags = [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids |= {attrs.get("id")}
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        elif tag == "link" or "src" in attrs:
            self.loads.append(attrs.get("href") or attrs["src"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img" and "alt" not in attrs:
            self.nameless.append(attrs.get("src", "")[:60])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert main(["--site", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_there_is_a_page_for_every_notebook_and_every_document(site, pages):
    names = {path.relative_to(site).as_posix() for path in pages}
    docs = {f"docs/{path.stem}.html" for path in DOCS.glob("*.md")}
    assert names == {"index.html"} | {f"{stem}.html" for stem in STEMS} | docs


def test_every_link_leads_to_a_page_and_to_a_place_in_it(site, pages):
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            address, _, place = link.partition("#")
            if "://" not in link:
                target = (path.parent / address).resolve() if address else path
                if target not in pages or (place and place not in pages[target].ids):
                    wrong.append(f"{path.name}: {link}")
            elif address.startswith(f"{REPOSITORY_URL}/blob/main/"):
                named = NOTEBOOKS.parent / address.removeprefix(f"{REPOSITORY_URL}/blob/main/")
                wrong += [] if named.exists() else [f"{path.name}: {link}"]
    assert wrong == []


def test_nothing_is_loaded_but_what_lies_beside_the_page(pages):
    for path, page in pages.items():
        for address in page.loads:
            assert address.startswith("data:image/png;base64,") or (path.parent / address).exists(), (
                f"{path}: {address}"
            )


def test_previous_and_next_lead_through_the_whole_course(site):
    here, seen = STEMS[0], [STEMS[0]]
    while following := re.search(r'rel="next" href="([^"]+)\.html"', (site / f"{here}.html").read_text()):
        back = (site / f"{following[1]}.html").read_text()
        assert f'rel="prev" href="{here}.html"' in back
        here = following[1]
        seen.append(here)
    assert seen == STEMS


def test_headings_do_not_skip_and_pictures_have_words(pages):
    for path, page in pages.items():
        assert page.headings[0] == 1 and page.headings.count(1) == 1, path
        skips = [pair for pair in zip(page.headings, page.headings[1:], strict=False) if pair[1] > pair[0] + 1]
        assert skips == [] and page.nameless == [], path
        assert not re.search(r"<th[^>]*></th>", path.read_text()), f"{path}: a heading that says nothing"
        labels = re.findall(r'<nav[^>]*aria-label="([^"]+)"', path.read_text())
        assert len(set(labels)) == len(labels), f"{path}: landmarks of one name"
        assert page.tags.count("main") == 1 and 'lang="en"' in path.read_text()[:300]


def test_every_lesson_has_its_card_and_picture(site):
    index = (site / "index.html").read_text()
    for stem in STEMS:
        assert f'href="{stem}.html"' in index and f'src="thumbnails/{stem}.png"' in index


def test_what_is_searched_has_a_place(site, pages):
    sections = json.loads((site / "search.js").read_text().removeprefix("const SECTIONS = ").removesuffix(";\n"))
    titles = {one.title for one in lessons()}  # a name of a file says less to who searches
    assert {section["page"] for section in sections} >= titles
    for section in sections:
        name, _, place = section["href"].partition("#")
        assert place in pages[site / name].ids, section["href"]
        assert not re.search(r"\]\(|<\w+>", section["text"])


def test_the_slider_has_the_scales_of_the_picture_that_it_moves_over(site):
    tree = ast.parse((DOCS / "scripts" / "make_pictures.py").read_text())
    typed = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(typed["SCALES"]) == GUIDANCE_SCALES
    width, height = (int.from_bytes((DOCS / "images" / "guidance.png").read_bytes()[i : i + 4]) for i in (16, 20))
    assert (width, height) == (100 * (len(GUIDANCE_SCALES) + 1) - 4, 100 * GUIDANCE_ROWS - 4)
    for name in ("index.html", f"{STEMS[0]}.html"):
        assert 'class="guidance"' in (site / name).read_text()


def test_without_the_pages_of_a_checkout_links_lead_to_the_repository(tmp_path):
    cells = [new_markdown_cell("# 00. A\n\n[e](../docs/errata.md#film), [b](01_b.ipynb)", id="header")]
    cells += [new_code_cell("1", id="guidance")]
    notebooks = {"00_start_here": new_notebook(cells=cells), "01_b": new_notebook(cells=[new_markdown_cell("# 01. B")])}
    write_site(tmp_path / "site", notebooks, docs=tmp_path / "none")
    page = Page(tmp_path / "site" / "00_start_here.html")
    assert f"{REPOSITORY_URL}/blob/main/docs/errata.md#film" in page.links and "01_b.html" in page.links
    assert not (tmp_path / "site" / "docs").exists() and 'class="guidance"' not in page.path.read_text()


@pytest.mark.slow
def test_a_run_of_the_course_writes_its_pages_and_the_report_leads_there(tmp_path, monkeypatch):
    def as_committed(path, *_, **__) -> Outcome:
        return Outcome(nbformat.read(path, as_version=4), seconds=1.0)

    monkeypatch.setattr(runner, "execute", as_committed)
    main(["--output", str(tmp_path), "--only", STEMS[0], "--profile", "test"])
    report = (tmp_path / "report.html").read_text()
    assert 'href="site/index.html"' in report and network_loads(report) == []
    assert {path.stem for path in (tmp_path / "site").glob("*.html")} == {"index", *STEMS}


@pytest.mark.parametrize("heading, expected", [("A <code>b</code> c", "a-b-c"), ("Is it, or not?", "is-it-or-not")])
def test_anchors_are_those_of_github(heading, expected):
    assert anchor(heading) == expected


def luminance(colour: str) -> float:
    """Relative luminance of #rgb or #rrggbb, WCAG 2."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_is_that_of_wcag():
    assert contrast("#fff", "#000000") == pytest.approx(21) and contrast("#777", "#fff") == pytest.approx(
        4.48, abs=0.01
    )


@pytest.mark.parametrize("which, style", [(0, "default"), (1, "github-dark")], ids=["light", "dark"])
def test_text_and_code_can_be_read(which, style):
    sheet = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[which]))
    inks = [colours[name] for name in ("ink", "soft", "link", "good", "bad")]
    rules = HtmlFormatter(style=style).get_style_defs(".highlight").splitlines()
    shown = "\n".join(rule for rule in rules if "linenos" not in rule and ".highlight .w " not in rule)  # spaces
    inks += re.findall(r"(?<!-)\bcolor: (#\w{6}|#\w{3})\b", shown)
    assert [ink for ink in set(inks) for back in ("back", "panel") if contrast(ink, colours[back]) < 4.5] == []
