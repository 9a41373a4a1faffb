"""At which point does the decoder path pay: every question that the stored runs answer, as panels of one figure.

Apart from the page because it is drawn of stored runs alone, in the notebook, where nothing of a run is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sdm_lite.baselines.ablation.readings import IN_GROUPS
from sdm_lite.baselines.ablation.runs import CLASS_STEPS, FULL_STEPS, LONG_STEPS, SHORT_STEPS
from sdm_lite.markdown import number, table
from sdm_lite.scenes.label_sets import LABEL_SETS
from sdm_lite.viz import Difference, plot_differences

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIOU, FID = "mIoU by the truth's", "FID less its floor"
MORE_IS_BETTER = {MIOU: True, FID: False}
SCORES = {MIOU: "miou", FID: "frechet"}
NAMES = ("SDM", "concat")
Results = Mapping[str, Any]  # of a stored run
GUIDED = "SDM less concat, guided, equal time"


def where_it_pays(table4: Results, photographs: Mapping[str, Any] | None) -> dict[str, dict[str, list[Difference]]]:
    """SDM less concat, guided and at equal time but for 23 classes (`runs.CLASS_STEPS`), against whatever was varied.

    Args:
        table4: results of the stored run of this name.
        photographs: results of the stored run photograph_ablation, or None where there is none.

    Returns:
        Question -> score -> differences, for `viz.plot_differences`; without a value where nothing was measured.
    """
    sizes = table4["sizes"]
    return {
        "Steps of SDM (32 px)": _panel(lambda score: _curve(sizes, score)),
        "Size (steps of SDM)": _panel(lambda score: _sizes(sizes, score)),
        "Things in a layout (32 px)": _panel(lambda score: _things(sizes, score)),
        f"Classes ({CLASS_STEPS[32][0]} steps of SDM)": _panel(lambda score: _classes(sizes, score)),
        "Photographs" if photographs is None else photographs["name"]: _panel(lambda score: _of(photographs, score)),
    }


def draw_where_it_pays(table4: Results, photographs: Results | None) -> Figure:
    """The figure of `where_it_pays`: undecided differences hollow, what was not measured said to be so."""
    return plot_differences(
        where_it_pays(table4, photographs),
        more_is_better=MORE_IS_BETTER,
        names=NAMES,
        title="Where does the decoder path pay? SDM less concat, guided, equal time but where told "
        "(23 classes: SDM had a third more); 95 % over layouts and seeds",
    )


def where_it_pays_lines(table4: Results, photographs: Results | None) -> list[str]:
    """The same as a table of Markdown, a row a difference."""
    rows = []
    for question, differences in where_it_pays(table4, photographs).items():
        if not any(differences.values()):
            rows.append([question, "", *["not measured"] * len(SCORES)])
        for of_place in zip(*differences.values(), strict=True):
            said = [_said(one, more) for one, more in zip(of_place, MORE_IS_BETTER.values(), strict=True)]
            rows.append([question, of_place[0].name.replace("\n", " "), *said])
    return table(["question", "at", *SCORES], rows)


def class_changes_lines(table4: Results) -> list[str]:
    """What more classes add to SDM less concat, as a table of Markdown; "not measured" where a label set is missing."""
    changes = table4["sizes"].get("32", {}).get("classes", {}).get("changes", [])
    if not changes:
        return ["not measured"]
    rows = []
    for change in changes:
        found = [_difference("", change[IN_GROUPS if score == "miou" else score]) for score in SCORES.values()]
        said = [_said(one, more, "gains") for one, more in zip(found, MORE_IS_BETTER.values(), strict=True)]
        rows.append([change["name"], *said])
    return table(["", *SCORES], rows)


def _said(one: Difference, more_is_better: bool, verdict: str = "better") -> str:
    if one.value is None:
        return "not measured"
    found = number(one.value, (one.low, one.high), "+.3f")
    winner = NAMES[(one.value > 0) != more_is_better]
    return f"{found} {f'**{winner} {verdict}**' if one.is_decided else 'undecided'}"


def _panel(differences: Callable[[str], list[Difference]]) -> dict[str, list[Difference]]:
    return {row: differences(score) for row, score in SCORES.items()}


def _difference(name: str, found: Mapping[str, Any] | None) -> Difference:
    return Difference(name) if found is None else Difference(name, found["value"], *found["interval"])


def _by_steps(sizes: Results, size: int, score: str) -> dict[int, Mapping[str, Any]]:
    return {one["steps"]: one[score] for one in sizes.get(str(size), {}).get("curve", [])}


def _curve(sizes: Results, score: str) -> list[Difference]:
    found = _by_steps(sizes, 32, score)
    return [_difference(str(steps), found.get(steps)) for steps in (*SHORT_STEPS[32], FULL_STEPS[32])]


def _sizes(sizes: Results, score: str) -> list[Difference]:
    return [
        _difference(f"{size} px\n({steps})", _by_steps(sizes, size, score).get(steps))
        for size in FULL_STEPS
        for steps in (FULL_STEPS[size], *LONG_STEPS[size])
    ]


def _things(sizes: Results, score: str) -> list[Difference]:
    things = sizes.get("32", {}).get("things")
    if things is None:
        return []
    found = next(one[score] for one in things["differences"] if one["name"] == GUIDED)
    counts = zip(things["fewest"], things["most"], strict=True)
    return [_difference(f"{low}-{high}", one) for (low, high), one in zip(counts, found, strict=True)]


def _classes(sizes: Results, score: str) -> list[Difference]:
    """MIoU with all classes merged to 5: more classes are harder to tell apart, whoever draws."""
    found = {one["label_set"]: one for one in sizes.get("32", {}).get("classes", {}).get("label_sets", [])}
    of_score = IN_GROUPS if score == "miou" else score
    return [
        _difference(str(labels.num_classes), found[name][of_score] if name in found else None)
        for name, labels in LABEL_SETS.items()
    ]


def _of(photographs: Mapping[str, Any] | None, score: str) -> list[Difference]:
    if photographs is None:
        return []
    return [
        _difference(one["match"].replace(" ", "\n") + f"\ns = {one['scale']:g}", one[score])
        for one in photographs["differences"]
        if one["scale"] > 1
    ]
