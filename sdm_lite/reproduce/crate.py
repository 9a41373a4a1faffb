"""The ledger for other programs: an RO-Crate, a folder whose metadata say in schema.org's words what is in it.

Apart because it is the door of `rocrate`. RO-Crate is by Soiland-Reyes et al. (2022). Each row of the ledger is a
ClaimReview of the paper, based on the stored runs that decide it; the ledger and the stored runs lie in the folder as
they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sdm_lite.ledger import VERDICTS, RowVerdict, coverage
from sdm_lite.ledger.evidence import EVIDENCE_DIR, evidence_names
from sdm_lite.reproduce.joining import PAPER, write_ledger

PAPER_URL = "https://arxiv.org/abs/2207.00050v1"


def write_crate(given: Sequence[RowVerdict], folder: Path, *, evidence: Path = EVIDENCE_DIR) -> Path:
    """Write the ledger and all stored runs as an RO-Crate.

    Args:
        given: the verdict of every row.
        folder: where to; made if missing.
        evidence: folder of the stored runs.

    Returns:
        The path of its metadata, ro-crate-metadata.json.

    Raises:
        ValueError: if the package rocrate is missing.
    """
    try:
        from rocrate.model.contextentity import ContextEntity
        from rocrate.rocrate import ROCrate
    except ModuleNotFoundError as error:
        fix = 'pip install "sdm_lite[crate]"'
        raise ValueError(f"--crate: expected the package rocrate, got no {error.name}: {fix}") from None
    folder.mkdir(parents=True, exist_ok=True)
    ledger = write_ledger(given, folder / "ledger.json")
    crate = ROCrate()
    crate.name = f"sdm_lite: the claims of {PAPER['title']!r}, tested"
    crate.description = f"{coverage(given)}. Small networks on procedural landscapes; each verdict says its scale."
    crate.license = "https://spdx.org/licenses/MIT"
    paper = {"@type": "ScholarlyArticle", "name": PAPER["title"], "identifier": PAPER["identifier"]}
    paper = crate.add(ContextEntity(crate, PAPER_URL, properties=paper))
    about = {"name": "the ledger: rules, records, verdicts", "encodingFormat": "application/json"}
    crate.mainEntity = crate.add_file(ledger, "ledger.json", properties=about)
    runs = {}
    for name in evidence_names(folder=evidence):
        about = {"name": f"stored run {name}", "encodingFormat": "application/json"}
        runs[f"stored run {name}"] = crate.add_file(
            evidence / f"{name}.json", f"evidence/{name}.json", properties=about
        )
    for one in given:
        review = {
            "@type": "ClaimReview",
            "name": one.row.id,
            "claimReviewed": f"{one.row.claim} ({one.row.place})",
            "reviewBody": _body(one),
        }
        review = crate.add(ContextEntity(crate, f"#{one.row.id}", properties=review))
        rating = {"@type": "Rating", "alternateName": one.verdict, "ratingValue": _rating(one.verdict)}
        rating |= {"bestRating": 1, "worstRating": -1}
        review["reviewRating"] = crate.add(ContextEntity(crate, f"#{one.row.id}-verdict", properties=rating))
        review["itemReviewed"] = paper
        review["isBasedOn"] = [runs[source] for source in {record.source for record in one.records} & runs.keys()]
    crate.write(folder)
    return folder / "ro-crate-metadata.json"


def _body(one: RowVerdict) -> str:
    """The rules, how it was tested, and what must be said beside the verdict."""
    rules = "; ".join(f"{rule.quantity}: {rule.words}" for rule in one.row.rules.values())
    return ". ".join([rules, one.row.tested.rstrip("."), *([one.which] if one.which else []), *one.notes, *one.stale])


def _rating(verdict: str) -> int:
    """1 reproduced, -1 contradicted, 0 everything between or unknown; the name of the rating says which."""
    assert verdict in VERDICTS
    return {"reproduced": 1, "contradicted": -1}.get(verdict, 0)
