"""The report of a run: one HTML file with the claims measured, the key pictures, the times and the failures.

Apart because it only reads what a run has left (run.json's content, recorded claims, executed notebooks), so it can be
written at any moment: after each notebook, an interruption or a failure. It holds all it shows, and no script.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import nbformat

from sdm_lite.reproduce.claims import format_value
from sdm_lite.reproduce.committed import duration, tags
from sdm_lite.reproduce.execute import write_text
from sdm_lite.reproduce.pages import page

STYLE = """
header p { margin: 0.3rem 0; }
header p, .soft, figcaption, td.soft { color: var(--soft); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.pill { display: inline-block; padding: 0.05rem 0.6rem; border-radius: 1rem; font-size: 0.85rem;
  border: 1px solid currentColor; white-space: nowrap; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.8rem; margin: 1.5rem 0; }
.card { background: var(--panel); border-radius: 8px; padding: 0.8rem 1rem; line-height: 1.4; }
.card b { display: block; font-size: 1.5rem; }
.failure { background: var(--bad-back); border-left: 4px solid var(--bad); border-radius: 0 6px 6px 0;
  padding: 0.7rem 1rem; margin: 1rem 0; }
.failure p { margin: 0.2rem 0; }
.scroll { overflow-x: auto; }
table { width: 100%; margin: 0.8rem 0; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; font-size: 0.85rem; color: var(--soft); }
th, td { padding: 0.45rem 0.7rem 0.45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.claims td:nth-child(1) { width: 48%; }
.claims td:nth-child(n+3) { white-space: nowrap; }
td.value { font-weight: 600; }
td.value span { font-weight: 400; color: var(--soft); white-space: nowrap; }
.times td { padding-top: 0.3rem; padding-bottom: 0.3rem; }
.times td:nth-child(2) { width: 40%; vertical-align: middle; }
.times td:nth-child(n+3) { white-space: nowrap; }
.bar { background: var(--accent); height: 0.6rem; border-radius: 3px; min-width: 2px; }
section { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: 0.4rem; }
section h2 { margin: 1.2rem 0 0.2rem; }
figure { margin: 1.4rem 0; }
figure img { display: block; background: #fff; border-radius: 6px; padding: 6px; }
figcaption { font-size: 0.9rem; margin-top: 0.4rem; }
@media (max-width: 36rem) {
  .claims thead { display: none; }
  .claims tr { display: block; border-bottom: 1px solid var(--line); padding: 0.5rem 0; }
  .claims td:nth-child(n) { display: block; border: 0; padding: 0.1rem 0; width: auto; white-space: normal; }
  .claims td:empty { display: none; }
  .times td:nth-child(2) { display: none; }
  .times th:nth-child(2) { display: none; }
}
"""


def write_report(output: Path, state: dict[str, Any]) -> Path:
    """Writes report.html into a run's folder.

    Args:
        output: the folder, with executed/ and claims/ in it.
        state: the content of run.json: profile, parameters, started, finished, machine, notebooks and results.

    Returns:
        The path of the report.
    """
    claims = {stem: read_claims(output, stem) for stem in state["results"]}
    parts = [_head(state, claims), _failures(state), _times(state)]
    parts += [_notebook(output, stem, state["results"].get(stem), claims.get(stem, [])) for stem in state["notebooks"]]
    parts.append(f"<section><h2>Run it again</h2><pre>{escape(_command(state))}</pre></section>")
    path = output / "report.html"
    write_text(path, page("\n".join(parts), title="sdm_lite: what was measured", style=STYLE))
    return path


def read_claims(output: Path, stem: str) -> list[dict[str, Any]]:
    """The claims that a notebook recorded in its last run, in order."""
    path = output / "claims" / f"{stem}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def pictures(notebook) -> list[tuple[str, str]]:
    """The pictures of the cells tagged `report`: base64 PNG and caption of each."""
    found = []
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = _first_words(cell.source) or heading
        elif "report" in tags(cell):
            for output in cell.outputs:
                png = re.sub(r"\s", "", output.get("data", {}).get("image/png", ""))
                if re.fullmatch(r"[A-Za-z0-9+/]+=*", png):
                    found.append((png, cell.metadata.get("caption", heading)))
    return found


def _first_words(markdown: str) -> str:
    """What a text is about: its first bold words, else its first line."""
    bold = re.search(r"\*\*(.+?)\*\*", markdown)
    lines = [line.lstrip("# ").strip() for line in markdown.splitlines() if line.strip()]
    return bold[1] if bold else lines[0] if lines else ""


def _head(state: dict[str, Any], claims: dict[str, list]) -> str:
    results, machine = state["results"], state["machine"]
    failed = sum(result["failure"] is not None for result in results.values())
    missing = len(state["notebooks"]) - len(results)
    every = [entry for entries in claims.values() for entry in entries]
    holding = [entry["holds"] for entry in every]
    if failed or missing:
        told = [f"{failed} failed"] * bool(failed) + [f"{missing} not run"] * bool(missing)
        pill = f'<span class="pill bad">{", ".join(told)}</span>'
    else:
        pill = '<span class="pill good">every notebook ran</span>'
    cards = [
        (f"{len(results) - failed} of {len(state['notebooks'])}", "notebooks ran through"),
        (str(holding.count(True)), "claims hold here"),
        (str(holding.count(False)), "claims do not hold here"),
        (str(holding.count(None)), "measured, nothing claimed"),
        (duration(sum(result["seconds"] for result in results.values())), "in the notebooks"),
    ]
    parameters = "".join(f", {escape(name)} = {escape(str(value))}" for name, value in state["parameters"].items())
    begun = escape(state["started"].replace("T", " ", 1))
    return (
        f"<header><h1>sdm_lite: what was measured</h1><p>{pill}</p>"
        f"<p>Profile <b>{escape(state['profile'])}</b>{parameters}, begun {begun}.</p>"
        f"<p>{escape(machine['device'])}, torch {escape(machine['torch'])}, Python {escape(machine['python'])}, "
        f'{escape(machine["system"])}.</p></header><div class="cards">'
        + "".join(f'<div class="card"><b>{number}</b>{label}</div>' for number, label in cards)
        + "</div>"
    )


def _failures(state: dict[str, Any]) -> str:
    results = state["results"].items()
    return "".join(_failure(stem, result["failure"]) for stem, result in results if result["failure"])


def _failure(stem: str, failure: dict[str, Any]) -> str:
    where = ""
    if failure["cell"]:
        anchor = f"executed/{stem}.html#cell-id={failure['cell_id']}"
        where = (
            f', <a href="{escape(anchor)}">cell {failure["cell"]} of {failure["num_cells"]}</a></p>'
            f"<p><code>{escape(failure['first_line'])}</code>"
        )
    logs = [("stderr", "standard error"), ("stdout", "output"), ("runner", "runner")]
    links = ", ".join(f'<a href="logs/{escape(stem)}.{part}.txt">{words}</a>' for part, words in logs)
    return (
        f'<div class="failure"><p><b>{escape(stem)}</b> failed{where}</p>'
        f'<p><code>{escape(failure["error"])}</code></p><p class="soft">Logs: {links}.</p></div>'
    )


def _times(state: dict[str, Any]) -> str:
    longest = max((result["seconds"] for result in state["results"].values()), default=1.0) or 1.0
    rows = []
    for stem in state["notebooks"]:
        result = state["results"].get(stem)
        if result is None:
            rows.append(f'<tr><td>{escape(stem)}</td><td></td><td class="soft">not run</td><td></td></tr>')
            continue
        slowest = max(result["cells"], key=lambda cell: cell["seconds"], default=None)
        told = f"cell {slowest['cell']}: {duration(slowest['seconds'])}" if slowest else ""
        rows.append(
            f'<tr><td><a href="#{escape(stem)}">{escape(stem)}</a></td>'
            f'<td><div class="bar" style="width: {100 * result["seconds"] / longest:.1f}%"></div></td>'
            f'<td>{duration(result["seconds"])}</td><td class="soft">{told}</td></tr>'
        )
    head = "<thead><tr><th>Notebook</th><th></th><th>Time</th><th>Slowest cell</th></tr></thead>"
    return f'<h2>Time</h2><div class="scroll"><table class="times">{head}{"".join(rows)}</table></div>'


def _notebook(output: Path, stem: str, result: dict[str, Any] | None, claims: list[dict[str, Any]]) -> str:
    if result is None:
        return f'<section id="{escape(stem)}"><h2>{escape(stem)}</h2><p class="soft">Not run.</p></section>'
    status = '<span class="pill bad">failed</span>' if result["failure"] else '<span class="pill good">ran</span>'
    body = []
    if claims:
        head = "<thead><tr><th>Claim</th><th>Value</th><th>In the paper</th><th>Here</th></tr></thead>"
        body.append(f'<div class="scroll"><table class="claims">{head}{"".join(map(_claim, claims))}</table></div>')
    else:
        body.append('<p class="soft">No claim recorded.</p>')
    executed = output / "executed" / f"{stem}.ipynb"
    if executed.exists():
        body += [_figure(png, caption) for png, caption in pictures(nbformat.read(executed, as_version=4))]
    return (
        f'<section id="{escape(stem)}"><h2>{escape(result["title"])}</h2><p class="soft">{status} in '
        f'{duration(result["seconds"])}: <a href="executed/{escape(stem)}.html">read it executed</a>, '
        f'<a href="executed/{escape(stem)}.ipynb">as a notebook</a></p>{"".join(body)}</section>'
    )


def _claim(entry: dict[str, Any]) -> str:
    value = escape(" ".join(part for part in (format_value(entry["value"]), entry["unit"]) if part))
    if entry["interval"] is not None:
        low, high = map(format_value, entry["interval"])
        value += f" <span>[{low}, {high}]</span>"
    style, holds = {True: ("good", "holds"), False: ("bad", "does not hold"), None: ("soft", "not claimed")}[
        entry["holds"]
    ]
    return (
        f'<tr><td>{escape(entry["claim"])}</td><td class="value">{value}</td>'
        f'<td class="soft">{escape(entry["paper"])}</td><td class="{style}">{holds}</td></tr>'
    )


def _figure(png: str, caption: str) -> str:
    return (
        f'<figure><img src="data:image/png;base64,{png}" alt="{escape(caption)}" loading="lazy">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _command(state: dict[str, Any]) -> str:
    settings = "".join(f" -p {name}={value}" for name, value in state["parameters"].items())
    return f"python -m sdm_lite.reproduce --profile {state['profile']}{settings}"
