"""Tables and numbers of Markdown."""

import pytest

from sdm_lite.markdown import number, table
from sdm_lite.metrics import Interval


def test_a_table_has_a_rule_of_as_many_columns_as_heads():
    lines = table(["", "s", "FID"], [["SDM", "1.5", ""], ["concat", "", "0.4"]])
    assert lines == ["| | s | FID |", "|---|---|---|", "| SDM | 1.5 | |", "| concat | | 0.4 |"]
    assert table(["a"], []) == ["| a |", "|---|"]


@pytest.mark.parametrize("cells", [["SDM"], ["SDM", "1", "2"]])
def test_a_row_of_another_length_is_refused(cells):
    with pytest.raises(ValueError, match=r"expected 2 cells, one for each of \['', 's'\], got \['SDM'"):
        table(["", "s"], [cells])


def test_a_number_is_told_with_its_interval_alone():
    assert number(1.5, Interval(1.25, 2, "95 %"), ".2f") == "1.50 [1.25, 2.00]"
    assert number(-0.0625, [-0.5, 0.25], "+.3f") == "-0.062 [-0.500, +0.250]"
