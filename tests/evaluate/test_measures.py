"""Scores are told in one way: a row a number, which interval is whose, and a JSON that every reader takes."""

import json

from sdm_lite.evaluate import Measure, Scores, format_scores
from sdm_lite.evaluate.exchange import ExchangeTest
from sdm_lite.evaluate.measures import scores_json
from sdm_lite.metrics import Interval

TRUE = Measure("of true pictures", 0.5, Interval(0.4, 0.6, "halvings"))
RATIO = Measure("ratio", 0.5, Interval(0.25, 0.75, "bootstrap"))
EXCHANGE = ExchangeTest(0.005, 199, 0.05, "not the truth", "samples exchanged with true pictures")
SCORES = Scores(
    {
        "miou": Measure("mIoU (a judge)", 0.25, Interval(0.125, 0.375, "bootstrap"), TRUE, RATIO),
        "bound": Measure("bits/dim", 3.0, Interval(2.0, float("nan"), "bootstrap"), exchange=EXCHANGE),
    },
    held_out="layouts",
    num_held_out=7,
    num_images=9,
    seconds_per_image=0.0123,
    settings={"sampler": "sample_ddim", "guidance_interval": (1, 800)},
    class_iou={"sky": 0.9, "sun": float("nan")},
    left_out=["FID: its weights are not here."],
)


def test_the_table_has_every_number_and_says_which_interval_is_whose():
    assert format_scores(SCORES) == (
        "mIoU (a judge)           0.250   [0.125, 0.375]\n"
        "  of true pictures       0.500   [0.400, 0.600]\n"
        "  ratio                  0.500   [0.250, 0.750]\n"
        "bits/dim                 3.000   [2.000, nan]\n"
        "  exchange test       p = 0.005 (199 exchanges): not the truth\n"
        "intervals of miou, bound: bootstrap\n"
        "intervals of what is below miou: halvings\n"
        "exchange tests of bound: samples exchanged with true pictures; p <= 0.05: not the truth, each test by itself\n"
        "IoU (a judge): sky 0.90, sun nan\n"
        "7 held-out layouts, 9 samples, 12 ms each; sampler sample_ddim, guidance_interval (1, 800)\n"
        "left out: FID: its weights are not here."
    )


def test_the_json_says_whose_scores_they_are_and_knows_no_nan():
    written = json.loads(scores_json(SCORES, {"model": "mine"}), parse_constant=lambda word: [][0])
    assert written["model"] == "mine" and written["class_iou"] == {"sky": 0.9, "sun": None}
    assert written["measures"]["miou"]["yardstick"]["interval"] == [0.4, 0.6, "halvings"]
    assert written["measures"]["bound"] == {
        "name": "bits/dim",
        "value": 3.0,
        "interval": [2.0, None, "bootstrap"],
        "yardstick": None,
        "ratio": None,
        "difference": None,
        "exchange": {
            "p_value": 0.005,
            "num_exchanges": 199,
            "level": 0.05,
            "verdict": "not the truth",
            "of": "samples exchanged with true pictures",
        },
    }
