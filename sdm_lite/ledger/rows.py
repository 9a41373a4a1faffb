"""Every checkable claim of the paper, where it stands, how it is tested here, and the rule that decides it.

The paper is Wang et al., "Semantic Image Synthesis via Diffusion Models" (2022, arXiv 2207.00050, version 1). "Scenes
judge" is the measure by the small network of `judge`: none of its values compares with the paper's.

A rule stands here before anything is measured by it, but for the rows marked `known_before`: notebooks, or algebra,
had their values when the ledger was begun. Their rules are what the notebooks asked before, the margin of a tenth or a
twentieth that the house uses, or what an equation says. A rule that is changed after a measurement is another one, and
that is told.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sdm_lite.ledger.rules import Row, Rule

TABLE_4 = "Scenes, SDM and concatenation of about as many weights, several training runs each"
SWEEP = "Scenes 32 px, the shipped network (1.1 M weights, one training run)"
SHIPPED = "Scenes 32 px, the shipped network (1.1 M weights, one training run)"
BOTH = "layouts and seeds"
GANS = (
    "Nine GANs at lite scale, trained on Scenes for as long as SDM on one thread and scored by the same judge, with "
    "and without a perceptual term. The best of nine is chosen anew in every resample of the layouts and for every "
    "training seed; what luck is left in the choice is against SDM."
)

ROWS: tuple[Row, ...] = (
    Row(
        "structure-miou",
        "Abstract, section 3.2, Table 4 rows 1 and 3",
        (
            "A label map that enters the decoder through SPADE is followed better than one concatenated to the noisy "
            "input."
        ),
        figures="mIoU 23.9 to 39.2 (ADE20K)",
        tested="Both networks trained on Scenes, matched for weights and once for time, guided by s = 1.5.",
        rules={
            "": Rule(
                "mIoU (Scenes judge) of SDM less that of concatenation, both at s = 1.5",
                low=0,
                needs=BOTH,
                source="stored run table4",
            )
        },
        scale=TABLE_4,
    ),
    Row(
        "structure-fid",
        "Abstract, section 3.2, Table 4 rows 1 and 3",
        (
            "A label map that enters the decoder through SPADE gives more lifelike pictures than one concatenated to "
            "the input."
        ),
        figures="FID 39.2 to 27.5 (ADE20K)",
        tested="As structure-miou.",
        rules={
            "": Rule(
                "FID (Scenes judge) of SDM less that of concatenation, both at s = 1.5",
                high=0,
                needs=BOTH,
                source="stored run table4",
            )
        },
        scale=TABLE_4,
    ),
    Row(
        "structure-lpips",
        "Abstract, section 3.2, Table 4 rows 1 and 3",
        (
            "A label map that enters the decoder through SPADE gives more diverse pictures than one concatenated to "
            "the input."
        ),
        figures="LPIPS 0.508 to 0.524 (ADE20K)",
        tested="As structure-miou.",
        rules={
            "": Rule(
                "diversity (Scenes judge) of SDM less that of concatenation, both at s = 1.5",
                low=0,
                needs=BOTH,
                source="stored run table4",
            )
        },
        scale=TABLE_4,
    ),
    Row(
        "guidance-miou",
        "Section 4.3, Table 4 rows 2 and 3",
        "Guidance raises mIoU.",
        figures="29.7 to 39.2 (ADE20K)",
        tested="The same network and noise with s = 1 and with s = 1.5.",
        rules={
            "": Rule(
                "mIoU (Scenes judge) at s = 1.5 less s = 1",
                low=0,
                source="stored runs table4, guidance_sweep; notebooks 05, 07",
            )
        },
        scale=SHIPPED,
        known_before=True,
    ),
    Row(
        "guidance-fid",
        "Section 4.3, Table 4 rows 2 and 3",
        "Guidance lowers FID.",
        figures="30.8 to 27.5 (ADE20K)",
        tested="The same network and noise with s = 1 and with s = 1.5.",
        rules={
            "": Rule("FID (Scenes judge) at s = 1.5 less s = 1", high=0, source="stored runs table4, guidance_sweep")
        },
        scale=SHIPPED,
    ),
    Row(
        "guidance-lpips",
        "Section 4.3, Table 4 rows 2 and 3",
        "Guidance costs diversity.",
        figures="LPIPS 0.593 to 0.524 (ADE20K)",
        tested="The same network and noise with s = 1 and with s = 1.5.",
        rules={
            "": Rule(
                "diversity (Scenes judge) at s = 1.5 less s = 1",
                high=0,
                source="stored runs table4, guidance_sweep; notebook 07",
            )
        },
        scale=SHIPPED,
        known_before=True,
    ),
    Row(
        "scale-trades",
        "Section 3.4, after Eq. 14",
        "The guidance scale trades quality against diversity.",
        tested=(
            "A sweep of s from 1 to 5 on the same layouts and noise; the slope is that of the straight line through it."
        ),
        rules={
            "miou": Rule(
                "slope of mIoU (Scenes judge) over s from 1 to 5",
                low=0,
                unit="per unit of s",
                source="stored run guidance_sweep",
            ),
            "fid": Rule(
                "slope of FID (Scenes judge) over s from 1 to 5",
                high=0,
                unit="per unit of s",
                source="stored run guidance_sweep",
            ),
            "diversity": Rule(
                "slope of diversity (Scenes judge) over s from 1 to 5",
                high=0,
                unit="per unit of s",
                source="stored run guidance_sweep",
            ),
        },
        scale=SWEEP,
    ),
    Row(
        "unguided-weak",
        "Sections 1 and 3.4",
        "Without guidance samples are diverse, but neither lifelike nor true to the label map.",
        tested="Samples at s = 1 beside true pictures of the same layouts.",
        rules={
            "diverse": Rule(
                "diversity (Scenes judge) at s = 1 by that of true pictures",
                low=0.95,
                source="stored run guidance_sweep",
            ),
            "not-lifelike": Rule(
                "FID (Scenes judge) at s = 1 less its floor, that of true pictures",
                low=0,
                source="stored run guidance_sweep",
            ),
            "not-true-to-the-map": Rule(
                "mIoU (Scenes judge) at s = 1 less that of true pictures", high=0, source="stored run guidance_sweep"
            ),
        },
        scale=SWEEP,
    ),
    Row(
        "eq15",
        "Eq. 15",
        "The two noise predictions differ by a multiple of the gradient of log p(label given the noisy picture).",
        tested="Normal distributions in the plane, where prediction and gradient are exact.",
        rules={
            "line": Rule(
                "least absolute cosine between difference and gradient",
                low=0.9999,
                needs="nothing",
                source="notebook Find the bug",
            ),
            "sign": Rule(
                "least cosine between difference and gradient, 1 where the factor is above 0",
                low=0,
                needs="nothing",
                source="notebook Find the bug",
            ),
        },
        scale="exact",
        known_before=True,
    ),
    Row(
        "table1-fid",
        "Table 1",
        "SDM has the lowest FID of ten methods on three data sets.",
        figures="18.8, 42.1, 27.5 against 20.8 to 95.0",
        tested=GANS,
        rules={
            "": Rule(
                "FID (Scenes judge) of SDM less the lowest of nine GANs", high=0, needs=BOTH, source="stored run table1"
            )
        },
        scale="Scenes",
    ),
    Row(
        "table1-lpips",
        "Table 1",
        "SDM has the highest diversity of ten methods; six of the nine GANs have next to none.",
        figures="LPIPS 0.422, 0.362, 0.524; six GANs 0 to 0.078",
        tested=(
            f"{GANS} How many have next to none goes by means over seeds. The paper's sixth is CC-FPSE, which draws "
            "from noise here, where its published scripts encode the true picture."
        ),
        rules={
            "highest": Rule(
                "diversity (Scenes judge) of SDM less the highest of nine GANs",
                low=0,
                needs=BOTH,
                source="stored run table1",
            ),
            "six-have-none": Rule(
                "GANs whose diversity (Scenes judge) is below a tenth of true pictures'",
                low=6,
                high=6,
                needs="nothing",
                source="stored run table1",
            ),
        },
        scale="Scenes",
    ),
    Row(
        "table3-miou",
        "Table 3",
        "SDM has the best mIoU on two of three data sets, and a weaker one on the third.",
        figures="77.0, 77.5; 39.2 on ADE20K, where OASIS has 45.7",
        tested=GANS,
        rules={
            "": Rule(
                "mIoU (Scenes judge) of SDM less the highest of nine GANs",
                low=0,
                needs=BOTH,
                source="stored run table1",
            )
        },
        scale="Scenes",
    ),
    Row(
        "both-at-once",
        "Sections 1 and 2.2",
        "GANs do not reach fidelity and diversity at the same time; SDM does.",
        figures="Table 1",
        tested=(
            f"{GANS} The count goes by means over seeds; its interval is of the counts of resampled layouts and seeds. "
            "Until November 2026 the mean alone decided, which said contradicted of a difference that is undecided. "
            "SDM is guided; beside unguided SDM the count may be another (docs/table1.md)."
        ),
        rules={
            "": Rule(
                "GANs with an FID as low as SDM's and a diversity as high (Scenes judge)",
                high=0,
                needs=BOTH,
                source="stored run table1",
            )
        },
        scale="Scenes",
    ),
    Row(
        "margins",
        "Section 4.2",
        "By how much SDM is ahead of the best other method.",
        figures="FID 2.2, 0.8, 2.0; LPIPS 0.035, 0.065, 0.007; mIoU 0.4, 12.3",
        tested=(
            "Subtraction in Tables 1 and 3. The order is that of section 4.1 (Cityscapes, ADE20K, CelebAMask-HQ), not "
            "that of the tables."
        ),
        rules={
            "fid": Rule(
                "largest difference of a printed FID margin and that of Table 1",
                high=0.05,
                needs="nothing",
                source="arithmetic",
            ),
            "lpips": Rule(
                "largest difference of a printed LPIPS margin and that of Table 1",
                high=0.0005,
                needs="nothing",
                source="arithmetic",
            ),
            "miou": Rule(
                "largest difference of a printed mIoU margin and that of Table 3",
                high=0.05,
                needs="nothing",
                source="arithmetic",
            ),
        },
        scale="the paper's own figures",
        known_before=True,
    ),
    Row(
        "user-study",
        "Section 4.2, Table 2",
        "SDM is preferred over SPADE, INADE and OASIS in more than three of four votes.",
        figures="75.5 to 93.5 %",
        tested=(
            "It takes voters, and pictures of the three GANs by networks that are trained; the study widget collects "
            "the votes and clusters them by pair and "
            "voter. To show that 80 % prefer one side at all takes 11 pairs and 8 voters; that it is over 75 %, "
            "many more (docs/user_study.md)."
        ),
        rules={
            "": Rule(
                "least share of votes for SDM against one of the three",
                low=0.75,
                needs="layouts",
                source="a user study",
            )
        },
        scale="Scenes",
    ),
    Row(
        "judge-weak",
        "Section 4.2",
        "A weak segmenter explains a low mIoU: it scores true pictures low too.",
        figures="39.2 where true pictures have 35.3 (ADE20K)",
        tested=(
            "What a segmenter scores true pictures explains a low score of samples if it is a ceiling, that is, if "
            "samples stay below it."
        ),
        rules={
            "paper": Rule(
                "mIoU of samples by that of true pictures, the paper's own",
                high=1,
                needs="nothing",
                source="arithmetic",
            ),
            "scenes": Rule(
                "mIoU (Scenes judge) of guided samples by that of true pictures", high=1, source="notebook 04"
            ),
        },
        scale=SHIPPED,
        known_before=True,
    ),
    Row(
        "judge-matters",
        "Section 4.1",
        "mIoU depends on how strong the segmenter is.",
        tested="The same samples scored by judges of three strengths (docs/judge_strength.md).",
        rules={
            "": Rule(
                "mIoU of the same samples by the strongest judge less by the weakest",
                low=0.02,
                source="stored run judges",
            )
        },
        scale=SHIPPED,
    ),
    Row(
        "upsampling-fair",
        "Section 4.1, Table 3",
        "Pictures enlarged to the segmenter's own input size are scored more reasonably.",
        tested=(
            "Pictures of 32 px scored by the judge of 64 px, as they are and enlarged. More reasonable means "
            "nearer to what true pictures of 64 px score."
        ),
        rules={
            "": Rule(
                "mIoU of true pictures of 32 px by the judge of 64 px, enlarged less as they are",
                low=0,
                source="stored run judges",
            )
        },
        scale="Scenes",
    ),
    Row(
        "learned-variance",
        "Section 3.3, Eq. 11",
        "Learning the variance improves the log-likelihood.",
        tested=(
            "The variational bound on held-out pictures, with the learned variance and with each of its two bounds in "
            "its place."
        ),
        rules={
            "lower": Rule(
                "bits saved over the lower bound of the variance",
                low=0,
                unit="bits/dim",
                source="stored run likelihood; notebook 04",
            ),
            "upper": Rule(
                "bits saved over the upper bound of the variance",
                low=0,
                unit="bits/dim",
                source="stored run likelihood; notebook 04",
            ),
        },
        scale=SHIPPED,
        known_before=True,
    ),
    Row(
        "lambda",
        "Section 4.1",
        "A weight of 0.001 of the variational term keeps training stable.",
        tested="Training with 0, 0.001, 0.01 and 1 times the bound, everything else alike.",
        rules={
            "harmless": Rule(
                "held-out simple loss with 0.001 by that with 0", high=1.02, needs=BOTH, source="stored run likelihood"
            ),
            "more-is-worse": Rule(
                "held-out simple loss with 1 by that with 0.001", low=1.02, needs=BOTH, source="stored run likelihood"
            ),
        },
        scale="Scenes 32 px, short training runs",
    ),
    Row(
        "null-by-fine-tuning",
        "Section 3.4, Algorithm 1",
        "A fine-tuning that drops the label of one example in five teaches the network its null label.",
        tested="The shipped network before and after its fine-tuning, and what guidance makes of both.",
        rules={
            "null-error": Rule(
                "held-out error under the null label, after by before",
                high=1,
                source="notebook 05; stored run likelihood",
            ),
            "label-error": Rule(
                "held-out error under labels, after by before", high=1.1, source="notebook 05; stored run likelihood"
            ),
            "guidance": Rule(
                "mIoU (Scenes judge) at s = 3, fine-tuned less before",
                low=0,
                source="notebook 05; stored run likelihood",
            ),
        },
        scale=SHIPPED,
        known_before=True,
    ),
    Row(
        "zero-null",
        "Section 3.4",
        "The all-zero condition can stand for no label.",
        tested=(
            "A network that saw its null label in one example of five, beside one of the same size that never saw "
            "labels, trained for as many steps: it had five times as many examples without labels."
        ),
        rules={
            "": Rule(
                "held-out error under the null label by that of a network without labels",
                high=1.05,
                source="stored run likelihood",
            )
        },
        scale="Scenes 32 px",
    ),
    Row(
        "algorithm-2",
        "Algorithm 2",
        "The printed procedure samples the model.",
        tested=(
            "Normal data of standard deviation 0.5, where the best noise prediction is exact: does the printed walk "
            "end at 0.5?"
        ),
        rules={
            "line-5": Rule(
                "how far off 0.5 it ends, alpha_t the product, as defined",
                high=0.01,
                needs="nothing",
                source="notebook 08",
            ),
            "line-5-one-step": Rule(
                "how far off 0.5 it ends, alpha_t read as one step's", high=0.01, needs="nothing", source="notebook 08"
            ),
            "line-3": Rule(
                "noise that the last step leaves on the picture",
                high=0.5,
                needs="nothing",
                unit="of 255 grey levels",
                source="notebook 08",
            ),
        },
        scale="exact",
        known_before=True,
    ),
    Row(
        "eq16-s",
        "Eq. 16, Algorithm 2, section 4.1",
        "There is one guidance scale s, of value 1.5, 2.0 and 1.5.",
        figures="1.5, 2.0, 1.5",
        tested="The noise guided by Eq. 16 and by line 4 of Algorithm 2 at the same s = 1.5.",
        rules={
            "": Rule(
                "largest difference of the two, at the same s = 1.5", high=1e-5, needs="nothing", source="notebook 07"
            )
        },
        scale="exact",
        known_before=True,
    ),
    Row(
        "loss-as-printed",
        "Eqs. 10, 12 and 13",
        "The printed losses train the model.",
        tested="Each as printed and as corrected, where the right answer is known.",
        rules={
            "eq10": Rule(
                "what Eq. 10 predicts best, off the mean that it should predict, in standard deviations",
                high=0.01,
                needs="nothing",
                source="notebook Find the bug",
            ),
            "eq12": Rule(
                "the variance that Eq. 12 likes best, by the one that the bound does",
                low=0.98,
                high=1.02,
                needs="nothing",
                source="notebook 04",
            ),
            "eq13": Rule(
                "weight of one drawn term as printed, by its weight in the bound that lambda belongs to",
                low=0.5,
                high=2,
                needs="nothing",
                source="notebook Find the bug",
            ),
        },
        scale="exact",
        known_before=True,
    ),
    Row(
        "attention-eq7",
        "Eq. 7",
        "Attention goes by cosine similarity, at a temperature that is given nowhere.",
        tested=(
            "At temperature one, Eq. 7 gives no pixel of 8 x 8 more than 0.105 of the weight. The shipped network "
            "has scaled dot products, as the published code: "
            "could Eq. 7 give the weights that it has learned?"
        ),
        rules={
            "": Rule(
                "largest weight that attention gives to one pixel of 64",
                high=0.105,
                needs="nothing",
                source="notebook 03",
            )
        },
        scale=SHIPPED,
        known_before=True,
    ),
    Row(
        "multimodal",
        "Figure 6",
        "One label map gets many different good pictures.",
        tested="The modes that true pictures of a layout have: hours, seasons, and their spread.",
        rules={
            "hours": Rule(
                "total variation distance (Scenes judge) of the hours of samples and of true pictures, s = 1.5",
                high=0.1,
                source="notebook 09",
            ),
            "seasons": Rule(
                "total variation distance (Scenes judge) of the seasons of samples and of true pictures, s = 1.5",
                high=0.1,
                source="notebook 09",
            ),
            "spread": Rule(
                "diversity (Scenes judge) by that of true pictures, s = 1.5", low=0.95, high=1.05, source="notebook 09"
            ),
        },
        scale=SHIPPED,
        known_before=True,
    ),
    Row(
        "progressive",
        "Section 1, Figure 2",
        "Noise is refined, step by step, into a picture that fits the map.",
        tested="Agreement of the predicted picture with its map along the walk: to come.",
        rules={
            "": Rule(
                "rank correlation of step and pixel accuracy (Scenes judge) along the walk",
                low=0.9,
                source="a notebook",
            )
        },
        scale=SHIPPED,
    ),
    Row(
        "fine-detail",
        "Section 4.2, Figure 7",
        "Small and distant things are better than those of the GANs.",
        tested=GANS,
        rules={
            "": Rule(
                "recall (Scenes judge) of the smallest third of things, SDM less the best of nine GANs",
                low=0,
                needs=BOTH,
                source="stored run table1",
            )
        },
        scale="Scenes",
    ),
    Row(
        "hard-scenes",
        "Section 4.2, Figures 4 and 5",
        "Crowded scenes are drawn more reasonably than by the GANs.",
        tested=GANS,
        rules={
            "": Rule(
                "mIoU (Scenes judge) on the fullest third of layouts, SDM less the best of nine GANs",
                low=0,
                needs=BOTH,
                source="stored run table1",
            )
        },
        scale="Scenes",
    ),
    Row(
        "editing",
        "Section 4.4, Figure 9",
        "What is drawn anew in an edited region fits its map and its surroundings.",
        tested=(
            "Edits of Scenes whose right answer is known. To fit the surroundings means: nearer to it than cut and "
            "paste, whose border is as hard as can be."
        ),
        rules={
            "border": Rule(
                "seam of cut and paste less that of the edit, in seams of right answers", low=0, source="notebook 11"
            ),
            "no-border": Rule("seam of the edit by that of the right answer", high=1.1, source="notebook 11"),
            "right": Rule("rms error of cut and paste less that of the edit", low=0, source="notebook 11"),
        },
        scale=SHIPPED,
        known_before=True,
    ),
    Row(
        "ema",
        "Section 4.1",
        "Weights averaged over training are used in place of the last ones.",
        figures="0.9999",
        tested=(
            "The averaged weights beside the last ones of the same training run, whose learning rate falls to zero, "
            "which leaves little to average; the paper's rate is constant."
        ),
        rules={
            "": Rule(
                "held-out simple loss of the averaged weights by that of the last",
                high=1,
                needs=BOTH,
                source="stored run likelihood",
            )
        },
        scale="Scenes 32 px, short training runs",
    ),
    Row(
        "sota-stands",
        "Abstract",
        "State of the art in fidelity and diversity.",
        figures="FID 27.5 and LPIPS 0.524 on ADE20K, 18.8 and 0.422 on CelebAMask-HQ",
        tested=(
            "Figures published later, as far as the protocol is the same: SCDM (Ko et al., 2024), the same "
            "network at the same size, FID 26.9 and LPIPS 0.530, "
            "17.4 and 0.418. Nothing is run."
        ),
        rules={
            "ade20k-fid": Rule(
                "FID on ADE20K, SDM less SCDM, as published", high=0, needs="nothing", source="arithmetic"
            ),
            "ade20k-lpips": Rule(
                "LPIPS on ADE20K, SDM less SCDM, as published", low=0, needs="nothing", source="arithmetic"
            ),
            "celebamask-hq-fid": Rule(
                "FID on CelebAMask-HQ, SDM less SCDM, as published", high=0, needs="nothing", source="arithmetic"
            ),
            "celebamask-hq-lpips": Rule(
                "LPIPS on CelebAMask-HQ, SDM less SCDM, as published", low=0, needs="nothing", source="arithmetic"
            ),
        },
        scale="published figures",
        known_before=True,
    ),
)


def find_rule(id: str, rows: Sequence[Row] = ROWS) -> tuple[Row, str, Rule]:
    """The row, part and rule that an id names.

    Args:
        id: of a row of one part ("guidance-miou"), or of a part of a row ("margins/fid").
        rows: of the ledger.

    Returns:
        The row, the part's name ("" where there is one alone) and its rule.

    Raises:
        ValueError: in one line, if no row has this id (the nearest that are), if the row has several parts and none is
            named, no such part, or no rule at all.
    """
    name, _, part = id.partition("/")
    row = next((one for one in rows if one.id == name), None)
    if row is None:
        nearest = difflib.get_close_matches(name, [one.id for one in rows], n=3, cutoff=0.4) or [one.id for one in rows]
        raise ValueError(f"claim: expected an id of the ledger, got {id!r}: did you mean {' or '.join(nearest)}?")
    if not row.rules:
        raise ValueError(
            f"claim {id!r}: expected a row with a rule, got none: write one into ledger/rows.py before measuring"
        )
    if part not in row.rules:
        known = ", ".join(row.name(one) for one in row.rules)
        raise ValueError(f"claim: expected one of {known}, got {id!r}: name the part that was measured")
    return row, part, row.rules[part]
