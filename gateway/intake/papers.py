"""Documents among uploads: verified before anything is kept of their file, then filed with it.

`standardize/papers.py` says what a reader does; this is the rest, the same for every format. A file
stands or falls with its documents: where one of them is not to be filed, nothing of it is.
"""

from dataclasses import dataclass, replace

from gateway import standardize
from gateway.errors import Invalid, UntrustedSignature
from gateway.intake.signed import Signatures
from gateway.model.batch import Batch, Finding
from gateway.model.document import Paper
from gateway.model.signature import Indication, SignatureReport
from gateway.record.papers import JudgedPaper
from gateway.record.staging import FileRow
from gateway.standardize.findings import finding
from gateway.standardize.format import Upload
from gateway.store.blobs import Blob, Blobs

_HEAD = 1024
_BLANK = b"\xef\xbb\xbf \t\r\n"


@dataclass(frozen=True, slots=True)
class Judged:
    """A file that was read, with the verdict on each of its documents."""

    batch: Batch
    papers: tuple[JudgedPaper, ...]
    waiting: bool
    "A signature that cannot be verified now: the whole file is set aside."
    loose: frozenset[str] = frozenset()
    "Digests of bytes that were stored only for this file's documents."
    reports: tuple[tuple[str, SignatureReport], ...] = ()
    "What verification said of each document, and where in the file it stands."


def judge(
    blobs: Blobs,
    signatures: Signatures | None,
    file: FileRow,
    upload: Upload,
    batch: Batch,
    *,
    around: SignatureReport | None = None,
) -> Judged:
    """Verify the documents of a file that was read; keeps bytes of theirs, and nothing else.

    `around` is what verification said of an envelope, whose signatures are the document's that is
    all of its content. Raises a Refusal where a document, or a signature in it, is refused.
    """
    found: list[Finding] = []
    judged: list[JudgedPaper] = []
    loose: set[str] = set()
    reports: list[tuple[str, SignatureReport]] = []
    waiting = False
    for paper in batch.papers:
        if paper.withdrawn:
            continue
        blob = _stored(blobs, file, upload, paper)
        if blob.sha256 != file.sha256:
            loose.add(blob.sha256)
        at = paper.at or "document"
        if signatures is None:
            waiting = True
            continue
        path = blobs.path(blob.sha256)
        report, active = signatures.verify(path, at=signatures.clock(), received=file.queued)
        if around is not None:
            report = _enveloped(around, report)
        if report.signed and report.indication is Indication.INVALID:
            raise UntrustedSignature(
                "the signature does not verify", "署名を検証できません", at=at, report=report
            )
        reports.append((paper.at, report))
        if active:
            found.append(finding("active-content", at))
        if not report.signed:
            found.append(finding("unsigned-document", at))
        if report.signed and not report.passed:
            waiting = True
            continue
        blob = covered(blobs, blob, report)
        if blob.sha256 != file.sha256:
            loose.add(blob.sha256)
        judged.append(JudgedPaper(paper, blob, report))
    if waiting:
        found.append(finding("signature-unverifiable", "document"))
    batch = replace(batch, findings=(*batch.findings, *found))
    return Judged(batch, tuple(judged), waiting, frozenset(loose), tuple(reports))


def _enveloped(around: SignatureReport, report: SignatureReport) -> SignatureReport:
    """The report on a document with the signatures of the envelope, where it is all of that."""
    if all(one.covered_sha256 != report.file_sha256 for one in around.signatures):
        return report
    indication = report.indication if report.signed else around.indication
    return replace(
        around, indication=indication, signatures=(*around.signatures, *report.signatures)
    )


def _stored(blobs: Blobs, file: FileRow, upload: Upload, paper: Paper) -> Blob:
    """The bytes of a document in the blob store, so that the verifier can read them."""
    if paper.content is None and not file.parent:
        return Blob(sha256=file.sha256, sha1="", size=file.size)
    if paper.content is not None:
        standardize.refuse_harmful(paper.content)  # base64 hid it until now (E-14)
    return blobs.put_bytes(upload.content if paper.content is None else paper.content)


def covered(blobs: Blobs, blob: Blob, report: SignatureReport) -> Blob:
    """The blob of the covered bytes: the file itself, or what its signature covers of it (J-06)."""
    if not report.signed or any(
        one.whole_document or one.covered_sha256 == blob.sha256 for one in report.signatures
    ):
        return blob if blob.sha1 else blobs.put_bytes(blobs.read(blob.sha256))
    content = report.signatures[-1].covered
    with blobs.path(blob.sha256).open("rb") as stream:
        markup = stream.read(_HEAD).lstrip(_BLANK).startswith(b"<")
    if not content or (markup and not content.lstrip(_BLANK).startswith(b"<")):
        # several things, or a file packed into XML: it comes as itself, with its signature beside
        raise Invalid("what is signed is not a document of this kind",
                      "署名対象がこの種類の文書ではありません",
                      at="content", rule="J-06", log="DOCSIG")  # fmt: skip
    standardize.refuse_harmful(content)  # an envelope hid it until now (E-14)
    return blobs.put_bytes(content)
