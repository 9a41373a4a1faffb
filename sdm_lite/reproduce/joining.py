"""The ledger joined: what notebooks, stored runs and arithmetic say, as one list of verdicts; and its committed form.

Apart because it runs nothing. The committed ledger, `data/ledger.json`, holds the notebooks' records too, so that the
pages made from it need no run, and a run of some notebooks is joined with what the others last said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sdm_lite.files import DATA_DIR, to_json, write_whole
from sdm_lite.ledger import ROWS, Record, Row, RowVerdict, coverage, find_rule, verdict_of, verdicts, worsened
from sdm_lite.ledger.evidence import EVIDENCE_DIR, evidence_names, read_evidence, stale
from sdm_lite.reproduce.arithmetic import arithmetic_records

COMMITTED = DATA_DIR / "ledger.json"
PAPER = {
    "title": "Semantic Image Synthesis via Diffusion Models",
    "authors": "Wang et al.",
    "year": 2022,
    "identifier": "arXiv:2207.00050v1",
}


def stored_records(folder: Path = EVIDENCE_DIR, rows: Sequence[Row] = ROWS) -> list[Record]:
    """What stored runs and arithmetic say of the paper's claims; stale runs are marked, none is left out.

    Raises:
        ValueError: in one line, if a stored run cannot be read, or names a row that the ledger does not have.
    """
    records = arithmetic_records()
    for name in evidence_names(folder=folder):
        run = read_evidence(name, folder=folder)
        why = stale(run) or ""
        for one in run.claims:
            try:
                find_rule(one.id, rows)
            except ValueError as error:
                raise ValueError(f"stored run {name}: {error}") from None
            covers = f"95 % over {_counts(one.num_layouts, one.num_seeds)}{one.interval_kind}" if one.interval else ""
            records.append(Record(one.id, one.value, one.interval, covers, f"stored run {name}", one.scale, why))
    return records


def notebook_records(output: Path | None, ran: Sequence[str], committed: dict[str, Any]) -> list[Record]:
    """What notebooks recorded: in a run's folder, and as committed for the notebooks that did not run there.

    Args:
        output: a run's folder with claims/ in it; None where nothing ran.
        ran: names of the notebooks that ran there.
        committed: from `read_ledger`.
    """
    found = [output / "claims" / f"{stem}.jsonl" for stem in ran] if output else []
    records = []
    for path in filter(Path.is_file, found):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry.get("id"):
                records.append(_record(entry | {"source": f"notebook {path.stem}", "stale": ""}))
    told = {f"notebook {path.stem}" for path in found}
    kept = [_record(one) for claim in committed["claims"] for one in claim["records"]]
    records += [one for one in kept if not one.is_stored and one.source not in told]
    return sorted(records, key=lambda one: one.source)  # whichever notebooks ran, the pages have one order


def read_ledger(path: Path = COMMITTED) -> dict[str, Any]:
    """A ledger as it was committed, or as a run has left it; one without claims where there is none.

    Raises:
        ValueError: if the file cannot be read as one.
    """
    if not path.is_file():
        return {"claims": []}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for claim in content["claims"]:
            claim["id"], claim["verdict"], claim["stale"], claim["parts"]  # noqa: B018
            [_record(one) for one in claim["records"]]
    except (ValueError, KeyError, TypeError) as error:
        told = f"{type(error).__name__} {error}".splitlines()[0]
        raise ValueError(f"{path.name}: expected a ledger, got {told}: make it with --ledger") from None
    return content


def committed_verdicts(path: Path = COMMITTED) -> list[RowVerdict]:
    """The verdict of every row by the committed records alone, stored runs among them: what the committed pages say.

    Raises:
        ValueError: if the file cannot be read as a ledger, or holds a record of a row that there is not.
    """
    return verdicts(_record(one) for claim in read_ledger(path)["claims"] for one in claim["records"])


def joined(
    committed: dict[str, Any], stored: Sequence[Record], output: Path | None = None, ran: Sequence[str] = ()
) -> list[RowVerdict]:
    """The verdict of every row, of all that is known now.

    Args:
        committed: from `read_ledger`.
        stored: from `stored_records`.
        output: folder of the run whose notebooks' records count before the committed ones; None where nothing ran.
        ran: names of the notebooks that ran there.
    """
    return verdicts([*stored, *notebook_records(output, ran, committed)])


def notebooks_that_ran(output: Path, sources: Mapping[str, str]) -> list[str]:
    """The notebooks that ran through in a run's folder as they are now, for `joined`; none where there was no run.

    Args:
        output: the run's folder.
        sources: from the name of each notebook to the `runner.source_hash` that it has now.

    Raises:
        ValueError: if that run was of the shortest profile, whose samples are too few to decide anything.
    """
    try:
        state = json.loads((output / "run.json").read_text(encoding="utf-8"))
        done = [stem for stem, one in state["results"].items() if one["failure"] is None]
        done = [stem for stem in done if state["results"][stem]["source"] == sources.get(stem)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if state["profile"] == "test":
        raise ValueError(f"--output: expected a run of profile quick or longer in {output}, got test: run it again")
    return done


def worse_than(committed: dict[str, Any], now: Sequence[RowVerdict]) -> list[str]:
    """What became worse since the ledger was committed, a line each: see `ledger.worsened`.

    A rule that was changed after something was measured by it is told here too: it stands before, or it is no rule.
    """
    before = {
        claim["id"]: {
            "verdict": claim["verdict"],
            "stale": claim["stale"],
            "parts": {part: one["verdict"] for part, one in claim["parts"].items()},
        }
        for claim in committed["claims"]
    }
    return worsened(before, now) + _changed_rules(committed, now)


def _changed_rules(committed: dict[str, Any], now: Sequence[RowVerdict]) -> list[str]:
    """Rules that are not what they were when something was measured by them, a line each."""
    rows = {one.row.id: one.row for one in now}
    lines = []
    for claim in committed["claims"]:
        row = rows.get(claim["id"])
        for id in dict.fromkeys(record["id"] for record in claim["records"]):
            part = id.partition("/")[2]
            if row and part in row.rules and part in claim["parts"]:
                was, rule = claim["parts"][part], asdict(row.rules[part])
                changed = [key for key in ("quantity", "low", "high", "needs") if was[key] != rule[key]]
                lines += [
                    f"{id}: the rule's {key} was {was[key]!r}, is {rule[key]!r}, after measuring" for key in changed
                ]
    return lines


def tell_worse(committed: dict[str, Any], now: Sequence[RowVerdict]) -> bool:
    """Print the coverage, every stale stored run, and each verdict that is worse than the committed one.

    Args:
        committed: from `read_ledger`.
        now: from `joined`.

    Returns:
        Whether any is worse.
    """
    print(f"ledger: {coverage(now)}")
    for line in dict.fromkeys(line for one in now for line in one.stale):
        print(f"STALE: {line}")
    lines = worse_than(committed, now)
    for line in lines:
        print(f"WORSE than the committed ledger: {line}")
    return bool(lines)


def ledger_text(now: Sequence[RowVerdict]) -> str:
    """The ledger as JSON: the paper, the coverage, and every row with its rules, records and verdicts."""
    content = {"paper": PAPER, "coverage": coverage(now), "claims": [_claim(one) for one in now]}
    return to_json(content, indent=1) + "\n"


def write_ledger(now: Sequence[RowVerdict], path: Path = COMMITTED) -> Path:
    """Write the ledger as JSON."""
    return write_whole(path, ledger_text(now))


def _claim(one: RowVerdict) -> dict[str, Any]:
    row = one.row
    parts = {part: asdict(rule) | {"verdict": one.parts[part]} for part, rule in row.rules.items()}
    told = {key: getattr(row, key) for key in ("id", "place", "claim", "figures", "tested", "scale", "known_before")}
    records = [asdict(record) | {"verdict": verdict_of(record)} for record in one.records]
    return told | {
        "verdict": one.verdict,
        "which": one.which,
        "parts": parts,
        "stale": list(one.stale),
        "notes": list(one.notes),
        "records": records,
    }


def _record(entry: dict[str, Any]) -> Record:
    interval = entry["interval"] and tuple(entry["interval"])
    return Record(
        interval=interval, **{key: entry[key] for key in ("id", "value", "interval_kind", "source", "scale", "stale")}
    )


def _counts(num_layouts: int, num_seeds: int) -> str:
    """The numbers before a kind of interval: "512 layouts, 3 seeds: "."""
    told = [f"{num} {what}" for num, what in ((num_layouts, "layouts"), (num_seeds, "seeds")) if num]
    return f"{', '.join(told)}: " if told else ""
