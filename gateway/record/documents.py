"""file(): a document with its SignatureReport, the only way a document as it is comes in.

Bytes that a signature covers are what is filed (J-06); a document that needs a signature and has
none that verified is refused (SIG-05). The same document twice is one document (FN-804).
"""

from dataclasses import replace

from gateway.consent import ledger, seals
from gateway.errors import Inconsistent, Invalid, NotOwner, UntrustedSignature
from gateway.identity import crossref, domains
from gateway.members import facilities
from gateway.model import attestation
from gateway.model.caller import CallerKind
from gateway.model.category import Category
from gateway.model.document import Assurance, Document, DocumentEntry
from gateway.model.identifiers import PatientId
from gateway.model.network import SignaturePolicyKeys
from gateway.model.signature import Indication, SignatureReport
from gateway.record import entries, evidence, provision
from gateway.store.blobs import Blob
from gateway.store.record import documents as rows
from gateway.store.record import lock_blobs, lock_unique
from gateway.store.work import Work

REFERRALS = frozenset({"57133-1", "57170-3"})
"LOINC types of referral notes: the kind `referral` of `signature.required`."


def file(work: Work, document: Document, report: SignatureReport) -> DocumentEntry:
    """File a document whose bytes are in memory; raises what `file_blob` raises."""
    lock_blobs(work.db, removing=False)
    return file_blob(work, document.entry, work.blobs.put_bytes(document.content), report)


def file_blob(
    work: Work, entry: DocumentEntry, blob: Blob, report: SignatureReport, *, series: str = ""
) -> DocumentEntry:
    """File a document whose bytes are in the blob store already.

    Raises `UntrustedSignature`, `NotOwner` (G-01), `Inconsistent` where the person does not take
    part and no custody contract holds (CON-01), or where the unique id is taken by other bytes.
    """
    chart = entry.source_patient
    work.trail.patients.add(chart)
    work.trail.objects.append(f"{entry.unique_id} sha256:{blob.sha256}")
    require_owner(work, entry)
    _require_signature(work, entry, blob, report)
    if entry.category is Category.DIRECT_DOCUMENT:
        raise Invalid("a directly sent document is never shared", "送受信文書は共有できません",
                      at="category", rule="XCA-05")  # fmt: skip
    lock_unique(work.db, entry.unique_id)
    known = rows.select_unique(work.db, entry.unique_id)
    if known is not None:
        if known.sha256 != blob.sha256 or (known.domain, known.value) != (
            chart.domain,
            chart.value,
        ):
            raise taken()
        return entries.to_entry(known, work.community.home, chart)
    members = facilities.snapshot(work.db)
    custody = members.has_custody(entry.facility, facilities.today(work))
    person = crossref.known(work, chart)
    if person is not None:
        crossref.lock(work, person)
    takes_part = person is not None and ledger.standing(work, person).participates
    if not takes_part and not (custody and work.policy.staging.custody):
        raise Inconsistent(
            "no consent is in effect: the document is not kept", "有効な同意がありません",
            rule="CON-01",
        )  # fmt: skip
    provided = (
        entry.category in work.policy.categories
        and (entry.facility, entry.category) not in members.withheld
    )
    entry = replace(
        entries.with_bytes(entry, sha256=blob.sha256, sha1=blob.sha1, size=blob.size),
        repository=work.community.repository,
        home=work.community.home,
        posted=work.now,
        registered=work.now if takes_part and provided else None,
        assurance=Assurance.VERIFIED if report.passed else Assurance.NONE,
        signatures=attestation.read(report.as_json()),
    )
    rows.insert_document(
        work.db,
        entries.to_row(
            entry,
            posted=work.now,
            registered=entry.registered,
            report=report.as_json(),
            series=series,
        ),
    )
    evidence.keep(work, entry.entry_uuid, report)
    if entry.registered is not None:
        provision.enter(
            work, facility=entry.facility, patient=chart, custody=custody, posted=work.now,
            items=0, documents=1,
        )  # fmt: skip
    work.trail.detail["shared"] = entry.registered is not None
    return entry


def taken() -> Inconsistent:
    """The refusal of a unique id that other bytes, or another chart's, have (FN-804)."""
    return Inconsistent(
        "another document has this unique id", "同じ文書IDの別文書があります",
        at="unique_id", rule="FN-804",
    )  # fmt: skip


def judge(work: Work, entry: DocumentEntry, report: SignatureReport) -> None:
    """Refuse, before a byte is kept, a foreign chart (G-01) or a due signature that is missing."""
    require_owner(work, entry)
    if report.passed or not report.signed:
        _require_due(work, entry, report)


def require_owner(work: Work, entry: DocumentEntry) -> None:
    """The chart is the providing facility's, and the caller is that facility (G-01)."""
    chart: PatientId = entry.source_patient
    domain = domains.require(work, chart)
    own = work.caller.kind is CallerKind.OPERATOR or work.caller.facility == entry.facility
    if own and domain.kind == domains.CHART and domain.facility == entry.facility:
        return
    raise NotOwner(
        "the chart id is not of the facility that files the document",
        "文書を登録する施設のカルテIDではありません",
        at="patient",
        rule="G-01",
        log="AUTH-SPOOF",
    )


def _require_signature(
    work: Work, entry: DocumentEntry, blob: Blob, report: SignatureReport
) -> None:
    """Refuse a document whose signature is due and missing, or present and not verified."""
    if report.signed:
        if not report.passed:
            unknown = report.indication is Indication.UNVERIFIABLE
            raise UntrustedSignature(
                "the signature cannot be verified now"
                if unknown
                else "the signature does not verify",
                "署名を確認できません" if unknown else "署名が正しくありません",
                report=report,
            )
        covered = {signature.covered_sha256 for signature in report.signatures}
        if any(signature.whole_document for signature in report.signatures):
            covered.add(report.file_sha256)
        if blob.sha256 not in covered:
            raise Invalid("these are not the signed bytes", "署名対象と内容が異なります",
                          at="content", rule="J-06", log="DOCSIG")  # fmt: skip
    elif blob.sha256 != report.file_sha256:
        raise Invalid("the report is about other bytes", "検証結果と内容が異なります",
                      at="content", rule="J-06", log="DOCSIG")  # fmt: skip
    _require_due(work, entry, report)


def _require_due(work: Work, entry: DocumentEntry, report: SignatureReport) -> None:
    """Refuse a kind of document that needs a signature it does not have (SIG-05)."""
    kind = "referral" if entry.type_code.code in REFERRALS else entry.category.value
    if satisfies(work.policy.signature, kind, report):
        return
    wanted = work.policy.signature.required[kind]
    raise UntrustedSignature(
        f"a {kind} document needs a signature by {' or '.join(wanted)}, with a time-stamp",
        "医師資格証等による電子署名とタイムスタンプが必要です",
        report=report,
    )


def satisfies(rule: SignaturePolicyKeys, kind: str, report: SignatureReport) -> bool:
    """Whether a kind of document has the signature that it needs; true where it needs none."""
    wanted = rule.required.get(kind)
    return wanted is None or seals.satisfied(rule, wanted, report.signatures)
