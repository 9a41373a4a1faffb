"""The ledger as pictures shows all that is in it, in the colour of its verdict; cards are picked by rule."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from colour_vision import DEUTERANOPIA, PROTANOPIA, TRITANOPIA, nearest_colours
from matplotlib.colors import to_hex, to_rgb

from sdm_lite.ledger import ROWS, VERDICTS, Record, coverage, measured, verdict_of, verdicts
from sdm_lite.reproduce.joining import committed_verdicts, read_ledger
from sdm_lite.reproduce.ledger_cards import draw_card, telling
from sdm_lite.reproduce.ledger_figures import COLOURS, draw_forest, draw_tiles, number, witness
from sdm_lite.viz import alt_text

OF = "95 % over 20 layouts, 1 seeds: layouts"


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()
    plt.close(figure)


def made(id, value, half=1.0, source="stored run a", stale="", kind=OF):
    return Record(id, value, (value - half, value + half), kind, source, "Scenes 32 px, x (y)", stale)


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_committed_verdicts_are_those_of_the_committed_ledger():
    ledger, given = read_ledger(), committed_verdicts()
    assert {one.row.id: one.verdict for one in given} == {one["id"]: one["verdict"] for one in ledger["claims"]}
    assert coverage(given) == ledger["coverage"]


def test_every_claim_is_a_tile_in_the_colour_of_its_verdict(axes):
    given = verdicts([made("guidance-miou", 5.0, stale="old"), made("guidance-fid", 5.0), made("scale-trades/fid", 0)])
    counts = draw_tiles(axes, given)
    assert counts == {
        "reproduced": 1,
        "partly": 1,
        "contradicted": 1,
        "inconclusive": 0,
        "not attempted": len(ROWS) - 3,
    }
    assert set(texts(axes)) >= {row.id for row in ROWS} and texts(axes).count("stale") == 1
    tiles = [bar for bar in axes.patches if bar.get_width() > 0.5]
    assert len(tiles) == len(ROWS)
    assert [to_hex(bar.get_facecolor()) for bar in tiles[:3]] == [
        COLOURS[said].lower() for said in ("reproduced", "partly", "contradicted")
    ]


def test_every_interval_is_a_line_true_to_the_right(axes):
    records = [
        made("guidance-fid", 2.0),  # at most 0: two half-widths on the wrong side
        made("multimodal/spread", 1.0, 0.1),  # from 0.95 to 1.05: half a half-width in
        made("guidance-miou", 0.3, 0.1, "notebook 07_guided_sampling"),
        made("guidance-miou", 500.0),
    ]
    given = verdicts(records)
    assert draw_forest(axes, given) == len(measured(given)) == 4
    lines = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 2]
    assert tuple(lines[0].get_xdata()) == (-3.0, -1.0)
    assert [to_hex(line.get_color()) for line in lines] == [
        COLOURS[said].lower() for said in ("contradicted", "inconclusive", "reproduced", "reproduced")
    ]
    marks = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False, False, True, False]  # the notebook's
    left, right = axes.get_xlim()
    assert marks[-1].get_marker() == ">" and marks[-1].get_xdata()[0] == right and left < -2
    bands = [bar.get_width() for bar in axes.patches]
    assert bands[0] == right and bands[1] == pytest.approx(1.0)
    assert {"guidance-fid", number(records[0]), "at most 0"} <= set(texts(axes))
    assert texts(axes).count("guidance-miou") == 1 and "2 measurements" in texts(axes), "a claim is one line"
    headings = ["Against the paper", "Open, or not everywhere alike", "For the paper"]
    assert [text for text in texts(axes) if text in headings] == headings
    assert all(words in alt_text(axes.figure) for words in (*headings, "guidance-fid", "multimodal/spread"))


def test_a_ledger_without_measurements_can_be_drawn(axes):
    assert draw_forest(axes, verdicts([])) == 0 and telling(verdicts([])) == []


def test_the_witness_is_told_with_a_scale_that_is_not_the_rows():
    assert witness(made("guidance-miou", 1.0)) == "a, 20 layouts, Scenes 32 px, x"
    row = next(row for row in ROWS if row.id == "guidance-miou")
    kind = "95 % percentile bootstrap over 16 layouts"
    here = Record("guidance-miou", 1.0, (0.5, 1.5), kind, "notebook 05_null_label", row.scale)
    assert witness(here) == "notebook 05, 16 layouts" and number(here) == "1.00 [0.50, 1.50]"


def test_cards_are_picked_by_rule():
    exact = [Record(f"algorithm-2/{part}", 1.0, source="notebook 07", scale="exact") for part in ("line-5", "line-3")]
    records = [
        made("guidance-fid", 9.0),
        made("structure-fid", 7.0, kind="95 % over 20 layouts, 3 seeds: layouts and seeds"),
        made("learned-variance/lower", 3.0),
        made("guidance-miou", 8.0),
        made("guidance-lpips", 0.5),
        made("guidance-lpips", 0.01, source="notebook 07_guided_sampling"),  # closer, and decides nothing
        Record("eq16-s", 1.0, source="notebook 07", scale="exact"),
        *exact,
    ]
    cards = telling(verdicts(records))
    told = [card.record.id for card in cards]
    assert told == ["guidance-fid", "guidance-miou", "guidance-lpips", "algorithm-2/line-5"]
    assert cards[2].record.value == 0.5 and all(card.claim.row.id in card.record.id for card in cards)


def test_a_card_has_the_claim_its_verdict_and_what_was_measured(axes):
    (card,) = telling(verdicts([made("guidance-fid", 9.0)]))
    draw_card(axes, card)
    said = " ".join(" ".join(texts(axes)).split())
    assert verdict_of(card.record).upper() == "CONTRADICTED" and "CONTRADICTED" in said
    assert "Guidance lowers FID." in said and "30.8 to 27.5 (ADE20K)" in said
    assert "9.0 [8.0, 10.0]" in said and "true if at most 0" in said


def test_a_card_of_a_part_says_what_the_claim_is(axes):
    given = verdicts([made("scale-trades/fid", 9.0), made("scale-trades/miou", 0.5)])
    draw_card(axes, telling(given)[0])
    said = " ".join(" ".join(texts(axes)).split())
    assert "CONTRADICTED in this part" in said and "The claim: partly (contradicted: fid; inconclusive: miou" in said


@pytest.mark.parametrize("vision", [np.eye(3), PROTANOPIA, DEUTERANOPIA, TRITANOPIA])
def test_verdicts_are_told_apart_by_all_eyes(vision):
    palette = np.array([[round(255 * part) for part in to_rgb(COLOURS[said])] for said in VERDICTS], np.uint8)
    assert nearest_colours(palette, vision).distance > 10


@pytest.mark.parametrize(
    ("value", "interval", "told"),
    [
        (1.00319, (1.00238, 1.00400), "1.00319 [1.00238, 1.00400]"),  # against a rule of "at most 1"
        (0.4171, (0.0673, 0.7242), "0.42 [0.07, 0.72]"),
        (123.4, (80.0, 160.0), "123 [80, 160]"),
        (0.22449, None, "0.224"),
        (2.0, (2.0, 2.0), "2"),
    ],
)
def test_a_number_is_told_as_exactly_as_its_interval(value, interval, told):
    assert number(Record("ema", value, interval, "95 %", "made up", "none")) == told
