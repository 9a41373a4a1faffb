"""The ledger joined of notebooks, stored runs and arithmetic; what is wrong with one of them is told in one line."""

import json

import pytest

from sdm_lite.ledger import coverage
from sdm_lite.ledger.evidence import StoredClaim, write_evidence
from sdm_lite.reproduce import joining
from sdm_lite.reproduce.arithmetic import TABLE_1, arithmetic_records
from sdm_lite.reproduce.joining import (
    joined,
    notebooks_that_ran,
    read_ledger,
    stored_records,
    tell_worse,
    worse_than,
    write_ledger,
)

NOTHING = {"claims": []}


def stored(folder, value=-1.0, *, id="structure-fid", name="table4", kind="layouts and seeds"):
    claim = StoredClaim(id, value, (value - 0.5, value + 0.5), kind, 512, 3, "Scenes 32 px")
    given = {"command": "python -m sdm_lite.x", "modules": ["sdm_lite.progress"], "results": {}}
    return write_evidence(name, **given, claims=[claim], folder=folder)


def ran(folder, *entries, profile="quick", stem="07_guided_sampling", failure=None):
    """A run's folder with what a notebook recorded in it."""
    (folder / "claims").mkdir(parents=True, exist_ok=True)
    bare = {"interval_kind": "95 % over 20 layouts", "scale": "Scenes 32 px"}
    lines = [json.dumps(bare | entry) for entry in entries]
    (folder / "claims" / f"{stem}.jsonl").write_text("\n".join(lines))
    state = {"profile": profile, "results": {stem: {"failure": failure, "source": "as now"}}}
    (folder / "run.json").write_text(json.dumps(state))
    return folder


def verdict(given, id):
    return next(one for one in given if one.row.id == id)


NOW = {"07_guided_sampling": "as now"}
GUIDED = {"id": "guidance-miou", "value": 0.03, "interval": [0.02, 0.04]}
OWN = {"id": "", "claim": "Our own", "value": 1, "interval": None, "verdict": "holds"}


def test_notebooks_stored_runs_and_arithmetic_meet(tmp_path):
    stored(tmp_path / "evidence")
    run = ran(tmp_path / "run", GUIDED, OWN)
    given = joined(NOTHING, stored_records(tmp_path / "evidence"), run, notebooks_that_ran(run, NOW))
    assert verdict(given, "structure-fid").verdict == "reproduced"
    assert (
        verdict(given, "structure-fid").records[0].interval_kind == "95 % over 512 layouts, 3 seeds: layouts and seeds"
    )
    assert verdict(given, "guidance-miou").verdict == "reproduced"
    assert verdict(given, "guidance-miou").records[0].source == "notebook 07_guided_sampling"
    assert verdict(given, "margins").verdict == "reproduced"
    assert sum(len(one.records) for one in given) == 2 + len(arithmetic_records())


def test_a_notebook_that_did_not_run_keeps_what_it_last_said(tmp_path):
    first = ran(tmp_path / "first", GUIDED)
    path = write_ledger(joined(NOTHING, [], first, ["07_guided_sampling"]), tmp_path / "ledger.json")
    committed = read_ledger(path)
    other = ran(tmp_path / "other", {"id": "attention-eq7", "value": 0.9, "interval": None}, stem="03_unet")
    now = joined(committed, [], other, ["03_unet"])
    assert [verdict(now, id).verdict for id in ("guidance-miou", "attention-eq7")] == ["reproduced", "contradicted"]
    again = ran(tmp_path / "again", OWN)  # it ran, and no longer records the claim
    now = joined(committed, [], again, ["07_guided_sampling"])
    assert worse_than(committed, now) == ["guidance-miou: was reproduced, is not attempted"]


def test_the_committed_ledger_is_read_as_it_was_written(tmp_path):
    stored(tmp_path / "evidence")
    now = joined(NOTHING, stored_records(tmp_path / "evidence"))
    committed = read_ledger(write_ledger(now, tmp_path / "ledger.json"))
    assert committed["coverage"] == coverage(now) and worse_than(committed, now) == []
    assert joined(committed, stored_records(tmp_path / "evidence")) == now
    stored(tmp_path / "evidence", value=1.0)
    worse = joined(committed, stored_records(tmp_path / "evidence"))
    assert worse_than(committed, worse) == ["structure-fid: was reproduced, is contradicted"]


def test_a_stored_run_of_other_code_is_marked_and_told(tmp_path, capsys):
    path = stored(tmp_path)
    committed = read_ledger(write_ledger(joined(NOTHING, stored_records(tmp_path)), tmp_path / "kept" / "ledger.json"))
    path.write_text(path.read_text().replace('"sdm_lite.progress": "', '"sdm_lite.progress": "0'))
    now = joined(committed, stored_records(tmp_path))
    line = "table4 is stale, made by other code of sdm_lite.progress: run python -m sdm_lite.x"
    assert verdict(now, "structure-fid").stale == (line,)
    assert worse_than(committed, now) == [f"structure-fid: {line}"]
    assert tell_worse(committed, now)
    _, *told = capsys.readouterr().out.splitlines()
    assert told == [f"STALE: {line}", f"WORSE than the committed ledger: structure-fid: {line}"]
    again = read_ledger(write_ledger(now, tmp_path / "kept" / "ledger.json"))
    assert not tell_worse(again, joined(again, stored_records(tmp_path)))
    assert f"STALE: {line}" in capsys.readouterr().out  # as long as it is so, not only when it becomes so


def test_a_stored_run_of_an_unknown_claim_is_one_line(tmp_path):
    path = stored(tmp_path)
    path.write_text(path.read_text().replace("structure-fid", "structure-fld"))
    with pytest.raises(
        ValueError, match="^stored run table4: claim: expected an id of the ledger, got 'structure-fld': did"
    ):
        stored_records(tmp_path)


def test_a_run_of_the_shortest_profile_decides_nothing(tmp_path):
    with pytest.raises(ValueError, match="expected a run of profile quick or longer in .*, got test"):
        notebooks_that_ran(ran(tmp_path, GUIDED, profile="test"), NOW)


def test_only_notebooks_that_ran_through_as_they_are_now_count(tmp_path):
    assert notebooks_that_ran(ran(tmp_path, GUIDED), NOW) == ["07_guided_sampling"]
    assert notebooks_that_ran(ran(tmp_path, GUIDED), {"07_guided_sampling": "changed since"}) == []
    assert notebooks_that_ran(ran(tmp_path, GUIDED, failure={"cell": 1}), NOW) == []
    assert notebooks_that_ran(tmp_path / "nowhere", NOW) == []


def test_a_rule_that_is_changed_after_measuring_is_told(tmp_path):
    stored(tmp_path, value=-1.0)
    committed = read_ledger(write_ledger(joined(NOTHING, stored_records(tmp_path)), tmp_path / "kept" / "ledger.json"))
    for claim in committed["claims"]:
        for part in claim["parts"].values():
            part["high"] = 5  # as if every rule had been easier
    lines = worse_than(committed, joined(committed, stored_records(tmp_path)))
    assert "structure-fid: the rule's high was 5, is 0, after measuring" in lines
    assert {line.partition(":")[0].partition("/")[0] for line in lines} == {
        "structure-fid",
        "margins",
        "judge-weak",
        "sota-stands",
    }  # and none that nothing has measured


@pytest.mark.parametrize("text", ["", "[]", '{"claims": [{}]}', '{"claims": 1}'])
def test_what_is_no_ledger_is_told_in_one_line(tmp_path, text):
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(ValueError, match="^ledger.json: expected a ledger, got .*: make it with --ledger$"):
        read_ledger(tmp_path / "ledger.json")
    assert read_ledger(tmp_path / "none.json") == NOTHING


def test_the_margins_are_those_of_the_tables_and_a_slip_in_a_table_is_seen(monkeypatch):
    values = {one.id: one.value for one in arithmetic_records()}
    assert [values[f"margins/{key}"] for key in ("fid", "lpips", "miou")] == [0, 0, 0]
    assert values["judge-weak/paper"] == pytest.approx(39.2 / 35.3, abs=1e-4)
    assert values["sota-stands/ade20k-fid"] == 0.6 and values["sota-stands/celebamask-hq-lpips"] == 0.004
    monkeypatch.setitem(TABLE_1, "INADE", ((21.5, 0.415), (43.3, 0.295), (35.2, 0.459)))
    assert (
        verdict(joined(NOTHING, arithmetic_records()), "margins").which == "reproduced: lpips, miou; contradicted: fid"
    )


def test_the_committed_ledger_lies_beside_the_weights():
    assert joining.COMMITTED.parent.joinpath("judge-32.safetensors").exists()
