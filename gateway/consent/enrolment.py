"""Taking part begins: a shared patient id, and the accepted consent (DOM-01, STD-05, CON-01)."""

from gateway.consent import ledger
from gateway.errors import Invalid
from gateway.identity import crossref
from gateway.model.identifiers import PatientId
from gateway.model.person import Demographics, Script
from gateway.model.signature import Sealed
from gateway.store.work import Work


def enrol(
    work: Work,
    demographics: Demographics,
    *,
    signed_by: str,
    basis: str = "",
    form_sha256: str = "",
    accepted: bool = True,
    sealed: Sealed | None = None,
) -> PatientId:
    """A new shared patient id for one person; with `accepted` its consent is in effect at once.

    Only the office that the network names may accept (CON-01). Without `accepted` the form is kept
    as submitted, and `ledger.grant` accepts it later. `sealed` is the signed document of an
    accepted one (SIG-05).
    """
    _require_whole(demographics)
    if sealed is not None and not accepted:
        raise Invalid(
            "a signed document belongs to an accepted consent: hand it in when it is accepted",
            "署名済みの文書は同意の受理とともに登録してください", at="document", rule="SIG-05",
        )  # fmt: skip
    if accepted:
        # Refused before an id is spent.
        ledger.check(work, signed_by=signed_by, basis=basis, sealed=sealed)
    shared = crossref.issue_shared_id(work, demographics)
    person = crossref.person_of(work, shared)
    if accepted:
        ledger.grant(
            work, person, signed_by=signed_by, basis=basis, form_sha256=form_sha256, sealed=sealed
        )
    else:
        ledger.submit(work, person, signed_by=signed_by, form_sha256=form_sha256)
    return shared


def _require_whole(demographics: Demographics) -> None:
    """What the form yields (STD-05): name, kana name, sex, birth date."""
    missing = [
        word
        for word, there in (
            ("name", demographics.name(Script.KANJI) or demographics.name(Script.ROMAN)),
            ("kana", demographics.name(Script.KANA)),
            ("gender", demographics.gender),
            ("birth", demographics.birth),
        )
        if not there
    ]
    if missing:
        raise Invalid(
            f"the form states all of these: {', '.join(missing)} missing",
            "参加同意書の記載事項（氏名・カナ・性別・生年月日）が不足しています",
            at=missing[0],
            rule="STD-05",
        )
