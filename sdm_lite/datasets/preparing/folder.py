"""Anyone's photographs and label maps, written as a folder that `datasets.Folder` opens: whole, or not at all.

Apart from finding and reading because here is what must not go wrong: the source is only read; what is done so far lies
in a hidden folder beside the target, so that the same command goes on where it was stopped; a fault leaves no target.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from sdm_lite.datasets.class_names import classes_text
from sdm_lite.datasets.image_files import in_threads
from sdm_lite.datasets.preparing.draft import DONE, LOCK, SETTINGS, Records, begun, draft_of, note, still_there, tidy
from sdm_lite.datasets.preparing.pairs import Tally, convert, no_tally
from sdm_lite.datasets.preparing.reader import Reader
from sdm_lite.datasets.preparing.sources import Found, Pair
from sdm_lite.datasets.preparing.survey import table_of
from sdm_lite.datasets.preparing.tables import Table
from sdm_lite.files import check_writable_folder, expanded, hold, write_whole
from sdm_lite.progress import Progress


class Prepared(NamedTuple):
    """What was done, or would be.

    Attributes:
        found: what the source was taken for.
        table: what its values mean, with a class for void if there is such a pixel.
        tally: of all pairs that are ready.
        ready: those pairs.
        num_before: how many of them an earlier run had written.
        bad: a line for each file or pair that is not as it should be.
        target: the folder that is there now, or None: nothing was to be written, or something is bad.
    """

    found: Found
    table: Table
    tally: Tally
    ready: list[Pair]
    num_before: int
    bad: list[str]
    target: Path | None


Describe = Callable[[Prepared], Mapping[str, bytes | str]]
"""What else is to be in the target: from what was done to files by name."""


def prepare_folder(
    source: str | Path,
    target: str | Path | None,
    reader: Reader | None = None,
    *,
    num_workers: int = 1,
    describe: Describe | None = None,
) -> Prepared:
    """Read a folder of photographs and label maps, and write `images/`, `labels/` and `classes.txt`.

    Label maps become PNG files of class ids, of the size of their photographs; photographs are hard links where the
    file system can, else copies, and PNG files where they were halves. Splits are kept: folders train, val and test.

    Args:
        source: the folder, which is not written to.
        target: where to; must not exist yet, or be empty, nor lie in the source. None = write nothing, only read.
        reader: how to read it; None = as it is found.
        num_workers: threads that work.
        describe: makes further files of the target.

    Returns:
        What was done. If anything is bad, and the reader is not to skip it, there is no target; what is done so far is
        kept for the next run.

    Raises:
        ValueError: if the source is not as it should be, options contradict one another, or the target cannot be
            written; before any work. Or if every pair is bad.
        OSError: if the disk is full.
    """
    reader = reader or Reader()
    reader.check()
    source = expanded(source)
    if not source.is_dir():
        raise ValueError(f"expected a folder at {source}, got {'a file' if source.exists() else 'no such folder'}")
    target = None if target is None else _checked(source, expanded(target))
    found = reader.find(source)
    table = table_of(found.pairs, reader, num_workers)
    if target is None:
        return _work(found, table, reader, None, {}, num_workers)
    draft = draft_of(target)
    draft.mkdir(parents=True, exist_ok=True)
    with hold(draft / LOCK, busy=f"another run prepares {target}: wait until it ends, or give another folder"):
        done = _work(found, table, reader, draft, begun(draft, source, reader, table), num_workers)
        if not done.ready:
            shutil.rmtree(draft)
        if not done.ready or (done.bad and not reader.skip_bad):
            return done
        files = {"classes.txt": classes_text(done.table.class_names, done.table.palette)}
        for name, data in (files | dict(describe(done) if describe else {})).items():
            write_whole(draft / name, data)
        tidy(draft, done.ready)
    for name in (SETTINGS, DONE, LOCK, f"{LOCK}.holder"):
        (draft / name).unlink(missing_ok=True)
    if target.exists():
        target.rmdir()  # Windows renames onto nothing that exists
    draft.rename(target)
    return done._replace(target=target)


def _checked(source: Path, target: Path) -> Path:
    """The target, absolute, if it can be written and is not there yet."""
    target = Path(os.path.abspath(target))
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"expected a target outside of {source}, which is only read, got {target}: give another folder"
        )
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ValueError(f"expected no folder at {target}, or an empty one, got one that is in use: give another")
    check_writable_folder(target.parent, option="the folder")
    return target


def _work(found: Found, table: Table, reader: Reader, draft: Path | None, done: Records, num_workers: int) -> Prepared:
    """Read every pair, and write it to the draft if there is one and it is not there yet."""

    def of(pair: Pair) -> tuple[Tally, bool] | ValueError:
        tally = still_there(pair, draft, done)
        if tally is not None:
            return tally, True
        try:
            return convert(pair, table, reader, draft), False
        except ValueError as error:
            return error

    tally, ready, num_before, bad = no_tally(table), [], 0, list(found.alone)
    with Progress("preparing" if draft else "reading", total=len(found.pairs)) as bar:
        for pair, result in zip(found.pairs, in_threads(of, found.pairs, num_workers), strict=True):
            bar.update()
            if isinstance(result, ValueError):
                bad.append(str(result))
                continue
            tally += result[0]
            num_before += result[1]
            ready.append(pair)
            if draft and not result[1]:
                note(draft, pair, result[0])
    return Prepared(found, table.with_void() if tally.num_void else table, tally, ready, num_before, bad, None)
