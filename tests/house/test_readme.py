"""The README's tree and the house of docs/design.md are what the modules say; what a page links to is there."""

import re
import shutil
import subprocess

import pytest
from readme_tree import BESIDE, BLOCKS, PAGES, READING_ORDER, ROOT, caption, renewed, rooms

TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

# The user's top level, and what tools look for there. Everything else has a room.
FOR_READERS = {"README.md", "environment.yml", "sdm_lite", *BESIDE}
FOR_TOOLS = {
    ".binder",
    ".ci",
    ".devcontainer",
    ".gitattributes",
    ".github",
    ".gitignore",
    "CITATION.cff",
    "LICENSE",
    "Makefile",
}
FOR_TOOLS |= {"CHANGELOG.md", "CONTRIBUTING.md", "MANIFEST.in", "constraints.txt", "pyproject.toml"}
# Where a package index, which shows the README alone, finds its pictures.
PICTURES = "https://raw.githubusercontent.com/sdm-lite/sdm_lite/main/"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_made_from_the_modules_is_up_to_date(page):
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run: make tree"


def test_every_block_stands_in_a_page_once():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert re.findall("<!-- (\\w+): made by `make tree` -->", text) == list(BLOCKS)
    assert re.findall("<!-- end of (\\w+) -->", text) == list(BLOCKS)


def test_every_file_and_folder_of_the_package_has_its_place_in_the_reading_order():
    assert sorted(rooms()) == sorted(READING_ORDER), "put what is new where one should read it, in readme_tree.py"


@pytest.mark.parametrize("name", READING_ORDER)
def test_a_first_line_fits_the_tree(name):
    said = caption(rooms()[name])
    assert len(said) <= 92 and said.isascii()


def test_only_what_stands_between_the_markers_is_replaced():
    page = "before\n<!-- a: made by `make tree` -->\nold\n<!-- end of a -->\nold\n"
    assert renewed(page, {"a": lambda: "\\1 new"}) == page.replace("old", "\\1 new", 1)


def test_the_ten_lines_of_the_readme_run():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(code, names)
    image = names["image"]
    assert image.shape == (1, 3, 32, 32) and -1 <= image.min() < image.max() <= 1 and image.std() > 0.1


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a clone")
def test_the_top_level_is_the_user_s():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.partition("/")[0] for line in listed.splitlines()} == FOR_READERS | FOR_TOOLS


def test_the_pictures_of_the_readme_are_seen_on_a_package_index():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    badges = re.findall(r"^\[!\[[^]]*\]\((https://[^)]+)\)\]\([^)]+\)$", text, re.MULTILINE)
    shown = [address for address in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text) if address not in badges]
    assert len(shown) >= 3 and all(address.startswith(f"{PICTURES}docs/images/") for address in shown)
    assert shown[0].endswith(".gif") and len(badges) >= 4


def test_the_readme_begins_with_a_sentence_a_picture_and_its_commands_and_has_lines_of_plain_length():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    beginning = text.partition("## The course")[0]
    commands = [beginning.index(f"make {name} ") for name in ("lab", "reproduce", "test")]
    assert [beginning.index(".gif"), *commands] == sorted([beginning.index(".gif"), *commands])
    assert len(beginning.splitlines()) < 40
    prose = re.sub(r"```.*?```|^\|.*|^!?\[.*", "", text, flags=re.DOTALL | re.MULTILINE)
    assert [line for line in prose.splitlines() if len(line) > 100 and " " in line[:100].strip("* ")] == []
    code = "".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL))
    assert [line for line in code.splitlines() if len(line) > 120] == []


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_links_and_paths_of_a_page_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    found = [link.partition("#")[0].replace(PICTURES, "") for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    links = [link for link in found if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    paths = re.findall(r"`((?:sdm_lite|tests|docs|data|notebooks|benchmarks)/[\w./-]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
