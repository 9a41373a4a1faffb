"""docs/guidance_methods.md and its figure, of what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from guiding.methods import PLAIN, PLAIN_ANCESTRAL, methods
from guiding.scores import SCORES
from sdm_lite import markdown
from sdm_lite.evaluate import Sizes

TOLD = ("frechet", "diversity", "time_of_day_tv")  # the scores in the verdicts, and in the notebook


def verdicts(stored: dict[str, object]) -> list[str]:
    """A table of what can be said of each method beside its control, at which scales; and how often what is said."""
    table = []
    compared_rows = [row for row in stored["rows"] if "less_control" in row]
    counts: dict[str, int] = dict.fromkeys(("better", "as good", "undecided", "worse"), 0)
    for name in dict.fromkeys(row["method"] for row in compared_rows):
        cells = [name]
        for score in TOLD:
            scales: dict[str, list[str]] = {}
            for row in compared_rows:
                if row["method"] == name:
                    said = row["less_control"][score]["verdict"]
                    scales.setdefault(said, []).append(f"{row['scale']:g}")
                    counts[said] += 1
            cells.append("; ".join(f"{said} at {', '.join(at)}" for said, at in scales.items()))
        table.append(cells)
    told = ", ".join(f"{said} {number} times" for said, number in counts.items())
    return [
        *markdown.table(["method", *(SCORES[score][0] for score in TOLD)], table),
        "",
        f"In these {sum(counts.values())} comparisons: {told}.",
        "Each interval is at 95 % by itself: of so many comparisons some are decided by chance. The other",
        f"{len(SCORES) - len(TOLD)} scores stand below; in some of those a method may be nearer to the truth.",
    ]


def difference(one: dict[str, object]) -> str:
    """A difference with its interval, and what is said of it."""
    return f"{markdown.number(one['value'], one['interval'])} {one['verdict']}"


def page(stored: dict[str, object], sizes: Sizes, *, command: str, choice_scales: Sequence[float]) -> str:
    """The page, of what is stored.

    Args:
        stored: results of the stored run.
        sizes: of the test layouts.
        command: that writes it.
        choice_scales: where validation layouts chose a method's number.
    """
    heads = [label for label, _ in SCORES.values()]
    table, against = [], []
    for row in stored["rows"]:
        first, scores = [row["method"], f"{row['scale']:g}"], row["scores"]
        cells = [*first, f"{row['excess']:.2f}", row["operations"]]
        table.append([*cells, *(markdown.number(**scores[name]) for name in SCORES)])
        if "less_control" in row:
            against.append([*first, f"{row['control']:g}", *(difference(row["less_control"][name]) for name in SCORES)])
    chosen = "; ".join(f"{name}: {one}" for name, one in stored["chosen"].items() if one)
    known = methods(stored["num_steps"])
    tried = "; ".join(f"{name}: {', '.join(of.variants)}" for name, of in known.items() if len(of.variants) > 1)
    margins = ", ".join(f"{label} {margin:g}" for label, margin in SCORES.values())
    return f"""# Guidance methods, measured

Written by `{command}`: the shipped `scenes-32` on
{sizes.num_layouts} test layouts, Scenes(seed={sizes.scenes_seed}), the same layouts and noise in every row,
{stored["num_steps"]} steps of DDIM (or of ancestral sampling, where the name says so); diversity from
{sizes.samples_per_layout} samples of each of {sizes.num_diversity_layouts} layouts. The methods are those of
`sdm_lite/guiders`. Chosen on {stored["num_choice_layouts"]} validation layouts, by FID at
s = {" and ".join(f"{s:g}" for s in choice_scales)}: {chosen} ("none": no step is skipped).
Tried were {tried}: where the last on its side was chosen, one beyond it may be better.
All scores are by the Scenes judge, a small network of this package. Intervals: 95 % centred bootstrap over layouts; one
network, trained once, so that nothing here says what another training run would do.

Is a method farther from the truth than its control, plain guidance of the same mean excess (below)?

{chr(10).join(verdicts(stored))}

![FID and diversity over the mean excess, a panel a method, plain guidance as a grey line](images/guidance_methods.png)

Grey: plain guidance (of ancestral steps where the name says so), the control of every point straight above or below.
Full points: decided, better or worse than that control; empty ones: as good, or undecided; a number: a point above the
panel. Autoguidance goes beyond another network, so that its excess has another unit: its control is plain guidance of
the same s, and no more. Its weak network is one, by the same recipe in 375 steps (the command that makes it stands in
the script); neither its length nor its size was searched, so that its rows say nothing of a better one.

**The control.** How far a method goes beyond the plain prediction, in units of the difference of its two predictions,
is its excess: s - 1 for plain guidance. Beside each method stands plain guidance of the same mean excess over all steps
and samples (to a twentieth). Differences are of the distance to the truth, layouts resampled once for both; "as
good": within the margin on both sides; "better" or "worse": the interval excludes 0, and "better" is nearer to the
truth, not higher; what is within the margin is "as good" even so. Margins, fixed before: {margins}.

{chr(10).join(markdown.table(["method", "s", "control s", *heads], against))}

The scores themselves, with intervals of each alone:

{chr(10).join(markdown.table(["method", "s", "mean excess", "encodes + decodes", *heads], table))}
"""


def plot(stored: dict[str, object], path: Path) -> None:
    """FID and diversity over the mean excess, a panel a method: plain guidance as a line, which is every control."""
    import matplotlib.pyplot as plt

    from sdm_lite.viz import save_png, use_style

    use_style()
    of: dict[str, list[dict[str, object]]] = {}
    for row in stored["rows"]:
        of.setdefault(row["method"], []).append(row)
    names = [name for name in of if not name.startswith(PLAIN)]
    columns = min(5, len(names))
    figure = plt.figure(figsize=(12, 1.4 + 3.6 * -(-len(names) // columns)), layout="constrained")
    halves = figure.subfigures(2, 1)
    for half, score, right in zip(halves, ("frechet", "diversity"), (0, 1), strict=True):
        known = [row["scores"][score]["value"] for name in of if name.startswith(PLAIN) for row in of[name]]
        top = 2.2 * max(known)  # what breaks down is told by its number, or all others would lie on the floor
        half.suptitle(f"{SCORES[score][0]}, of the truth: {right}")
        panels = half.subplots(-(-len(names) // columns), columns, sharex=True, sharey=True, squeeze=False)
        for panel in panels.flat[len(names) :]:
            panel.remove()
        for panel, name in zip(panels.flat, names, strict=False):
            beside = of[PLAIN_ANCESTRAL if "ancestral" in name else PLAIN]
            for rows, style in ((beside, {"color": "0.35"}), (of[name], {"color": "C5", "zorder": 3})):
                points = [row["scores"][score]["value"] for row in rows]
                panel.plot([row["excess"] for row in rows], points, linewidth=1.2, **style)
            for row in of[name]:
                decided = row["less_control"][score]["verdict"] in ("better", "worse")
                at = row["excess"], row["scores"][score]["value"]
                panel.plot(*at, "o", markersize=5, color="C5", markerfacecolor="C5" if decided else "white", zorder=4)
                if at[1] > top:
                    panel.text(at[0], 0.98 * top, f"{at[1]:.0f}", fontsize=8, ha="center", va="top", clip_on=True)
            panel.axhline(right, color="0.6", linewidth=0.8, linestyle=":")
            panel.set_title(name, loc="left", fontsize=9)
        values = [row["scores"][score]["value"] for row in stored["rows"]]
        lowest, highest = min(right, *values), min(top, max(values))
        panels.flat[0].set_ylim(lowest - 0.05 * (highest - lowest), highest + 0.05 * (highest - lowest))  # all share it
        half.supxlabel("mean excess (plain guidance: s - 1)")
    save_png(path, figure)
    plt.close(figure)
