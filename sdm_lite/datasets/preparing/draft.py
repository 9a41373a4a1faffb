"""What is done so far of a folder that is being prepared: hidden beside it, and gone on with by the same command.

Apart because what lies there may be of another run: other settings, other files, half a line.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sdm_lite.datasets.preparing.pairs import Tally, files_of
from sdm_lite.datasets.preparing.reader import Reader
from sdm_lite.datasets.preparing.sources import Pair
from sdm_lite.datasets.preparing.tables import Table
from sdm_lite.files import to_json, write_whole

SETTINGS, DONE, LOCK = ".settings", ".done.jsonl", ".lock"
Records = dict[tuple[str, str], tuple[list, list]]
"""By split and name: the stamps of the source's files, and the numbers of the tally."""


def begun(draft: Path, source: Path, reader: Reader, table: Table) -> Records:
    """What an earlier run with these settings has written; of others nothing is kept."""
    settings = asdict(reader) | {"source": os.path.abspath(source), "values": table.values.tolist()}
    settings |= {"classes": table.classes.tolist(), "class_names": list(table.class_names)}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode(errors="surrogateescape")).hexdigest()
    if not (draft / SETTINGS).is_file() or (draft / SETTINGS).read_text() != digest:
        for path in draft.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        (draft / DONE).unlink(missing_ok=True)
        write_whole(draft / SETTINGS, digest)
    records: Records = {}
    if (draft / DONE).is_file():
        for line in (draft / DONE).read_text(encoding="utf-8").splitlines():
            try:
                split, name, stamps, tally = json.loads(line)
            except ValueError:  # half of a line, from a crash of the machine
                continue
            records[split, name] = stamps, tally
    return records


def note(draft: Path, pair: Pair, tally: Tally) -> None:
    """Note that a pair is written."""
    record = [
        pair.split,
        pair.name,
        _stamps(pair),
        [tally.num_by_class.tolist(), tally.num_by_value.tolist(), *tally[2:]],
    ]
    with open(draft / DONE, "a", encoding="utf-8") as file:
        file.write(to_json(record) + "\n")


def still_there(pair: Pair, draft: Path | None, done: Records) -> Tally | None:
    """The tally of a pair that is written, of the files as they are now; None if it is to be done."""
    record = done.get((pair.split, pair.name))
    if draft is None or record is None or record[0] != _stamps(pair):
        return None
    halves = pair.photograph == pair.label_map
    if not all(path.is_file() for path in files_of(pair, draft, halves=halves)):
        return None
    by_class, by_value, *others = record[1]
    return Tally(np.array(by_class, dtype=np.int64), np.array(by_value, dtype=np.int64), *others)


def _stamps(pair: Pair) -> list[int]:
    """Sizes and times of the files of a pair, which change when they do."""
    try:
        status = [path.stat() for path in (pair.photograph, pair.label_map)]
    except OSError:  # gone, or a link to nothing: reading it tells
        return []
    return [number for one in status for number in (one.st_size, one.st_mtime_ns)]


def tidy(draft: Path, ready: list[Pair]) -> None:
    """Remove what an earlier run wrote of files that are not in the source any more."""
    wanted = {
        path.with_suffix("") for pair in ready for path in files_of(pair, draft, halves=False)
    }  # whatever the suffix of the photograph
    for kind in ("images", "labels"):
        for path in sorted((draft / kind).rglob("*")):
            if path.is_file() and path.with_suffix("") not in wanted:
                path.unlink()


def draft_of(target: Path) -> Path:
    """Where what is done so far lies until all is."""
    return target.with_name(f".{target.name}.preparing")
