"""The pages made of the ledger: what they say, and that the committed ones are of today."""

import pytest

from sdm_lite.ledger import coverage
from sdm_lite.reproduce.committed import REPOSITORY
from sdm_lite.reproduce.joining import COMMITTED, joined, ledger_text, read_ledger, stored_records
from sdm_lite.reproduce.ledger_pages import BEGIN, END, page, readme_table, renewed, write_pages


@pytest.fixture(scope="module")
def now():
    """The ledger as committed, with the stored runs and the code of now."""
    return joined(read_ledger(), stored_records())


@pytest.mark.skipif(not (REPOSITORY / "docs").is_dir(), reason="not a checkout")
def test_the_committed_pages_are_of_today(now):
    """Stale runs are in them: whoever changes what a stored run was measured by, says so with this command."""
    fix = "run: python -m sdm_lite.reproduce --ledger"
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert (REPOSITORY / "docs" / "ledger.md").read_text(encoding="utf-8") == page(now), fix
    assert renewed(readme, now) == readme, fix
    assert COMMITTED.read_text(encoding="utf-8") == ledger_text(now), fix


def test_the_page_has_every_row_its_rule_and_its_verdict(now):
    text = page(now)
    assert f"**{coverage(now)}.**" in text
    for one in now:
        assert f"\n## {one.row.id}\n" in text and f"[{one.row.id}](#{one.row.id})" in text
        assert all(rule.quantity in text and rule.words in text for rule in one.row.rules.values())
        assert text.count("* Measured: ") >= len(one.records)


def test_the_readme_table_is_short_and_counts_all(now):
    lines = readme_table(now).splitlines()
    assert lines[0] == f"{coverage(now)}."
    assert len(lines) == 4 + sum(one.verdict != "not attempted" for one in now)


def test_only_what_stands_between_the_markers_is_replaced(now, tmp_path):
    text = f"before\n{BEGIN}old\n{END}\nafter\n"
    assert renewed(text, now) == f"before\n{BEGIN}{readme_table(now)}{END}\nafter\n"
    (tmp_path / "README.md").write_text("no markers")
    with pytest.raises(ValueError, match="README: expected the markers"):
        write_pages(now, tmp_path)
    assert not (tmp_path / "docs").exists()
    (tmp_path / "README.md").write_text(text)
    write_pages(now, tmp_path)
    assert (tmp_path / "docs" / "ledger.md").read_text() == page(now)
