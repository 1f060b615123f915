"""PDF signatures: PAdES B and T (ETSI EN 319 142-1), with what they cover.

A signature counts only where it covers the file to its end, or to a revision after which nothing
but validation data and document time-stamps were added (J-06). The PDF library is loaded with this
module. It reads hostile files in one process with us: callers give it a process of its own, with
limits (`security.md` E-11).
"""

import re
from collections.abc import Iterable, Iterator
from io import BytesIO

from asn1crypto import x509
from asn1crypto.cms import ContentInfo
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.general import find_cms_attribute_iter
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from gateway.errors import Malformed
from gateway.hpki import cms
from gateway.hpki.certificates import read_certificate
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import Opened, Unfit, failed, passed, unknown
from gateway.hpki.policy import Algorithms
from gateway.model.signature import Check

SECTION = "ISO 32000-2 12.8"
LARGEST = 100 * 1024 * 1024
"Bytes of a PDF file (`security.md` section 3)."
_SUBFILTERS = {"/ETSI.CAdES.detached", "/adbe.pkcs7.detached"}
_TRACE = b"/ByteRange"
"What only a signature has, and never compressed."
_GAP = re.compile(rb"<([0-9a-f]*|[0-9A-F]*)>")
_MOST = 30
_TROUBLE: tuple[type[BaseException], ...] = (*RAISED, PdfError, Malformed)


def open_signatures(content: bytes, allowed: Algorithms) -> tuple[Opened, ...]:
    """The signatures of a PDF file; none where it is unsigned.

    What cannot be read counts as signed where it shows a trace of a signature.
    """
    traces = _TRACE in content
    if not content.startswith(b"%PDF-") or len(content) > LARGEST:
        return (_unreadable(),) if traces else ()
    try:
        reader = PdfFileReader(BytesIO(content))
        if reader.encrypted:
            return (_encrypted(),) if traces else ()
        fields, stamps = _fields(reader)
        helpers, crls = _store(reader)
    except _TROUBLE:
        return (_unreadable(),) if traces else ()
    if not fields and traces and not stamps:
        return (_removed(),)
    opened = tuple(
        _open(content, reader, field, name, allowed, alone=len(fields) == 1)
        for field, name in fields[:_MOST]
    )
    return tuple(_with(one, helpers, crls) for one in opened)


def _fields(reader: PdfFileReader) -> tuple[list[tuple[object, str]], int]:
    """The fields that hold a signature, and how many hold a document time-stamp."""
    found: list[tuple[object, str]] = []
    stamps = 0
    for name, value, field in enumerate_sig_fields(reader, filled_status=True):
        if value.get_object().get("/Type", "/Sig") == "/DocTimeStamp":
            stamps += 1
        else:
            found.append((field, name))
    return found, stamps


def _open(
    content: bytes,
    reader: PdfFileReader,
    field: object,
    name: str,
    allowed: Algorithms,
    *,
    alone: bool,
) -> Opened:
    """One signature, as far as it can be judged without trust."""
    try:
        embedded = EmbeddedPdfSignature(reader, field, name)
        _check_kind(embedded)
        signer = cms.read_signer(embedded.signed_data)
        certificate = _certificate(signer)
        covered = _covered(content, embedded)
        embedded.compute_integrity_info()
        whole = _is_whole(embedded)
        if cms.weakness(signer, allowed):
            raise Unfit(_weak())
        intact, valid = cms.is_intact(signer, "data", embedded.compute_digest)
        tokens = tuple(_tokens(signer))
        claimed = embedded.self_reported_timestamp
    except Unfit as unfit:
        return Opened(form="PAdES", checks=(unfit.check,))
    except _TROUBLE:
        return _unreadable()
    checks = [_digest(intact), _value(valid), _coverage(whole=whole, alone=alone)]
    sound = intact and valid and whole and alone
    return Opened(
        form="PAdES",
        checks=tuple(checks),
        certificate=certificate,
        helpers=signer.others,
        crls=tuple(one.chosen.dump() for one in list(signer.signed["crls"] or ())[:_MOST]),
        tokens=tokens,
        claimed=claimed if claimed is not None and claimed.tzinfo is not None else None,
        covered=covered if sound else b"",
        whole_document=sound,
    )


def _check_kind(embedded: EmbeddedPdfSignature) -> None:
    """Detached CMS over the file, of a kind that we know."""
    if embedded.sig_object.get("/SubFilter") not in _SUBFILTERS:
        raise Unfit(
            unknown(
                "structure",
                "this kind of PDF signature is not read by this version",
                "この種類の PDF 署名はこの版では読み取れません",
                SECTION,
            )
        )
    content = embedded.signed_data["encap_content_info"]
    if content["content_type"].native != "data" or content["content"]:
        raise Malformed("not a detached signature")


def _certificate(signer: cms.Signer) -> x509.Certificate:
    """The signer's certificate, named by a signed attribute (EN 319 142-1 6.3)."""
    if signer.certificate is None:
        raise Unfit(
            unknown(
                "signer",
                "the signer's certificate is not in the document",
                "署名者の証明書が文書にありません",
                "EN 319 142-1 6.3",
            )
        )
    if cms.names_certificate(signer.info, signer.certificate) is not True:
        raise Unfit(
            failed(
                "signer",
                "the signature does not name its certificate, or names another one",
                "署名証明書属性がないか、証明書と一致しません",
                "EN 319 142-1 6.3",
            )
        )
    return signer.certificate


def _covered(content: bytes, embedded: EmbeddedPdfSignature) -> bytes:
    """The file as far as the signature reaches; the gap must hold the signature and no more.

    The signature value itself stays in: without it, what is filed could not be verified again.
    """
    ranges = [int(number) for number in embedded.byte_range]
    if len(ranges) != 4 or ranges[0] != 0 or min(ranges) < 0:
        raise Unfit(_uncovered())
    _, first, second, length = ranges
    gap = _GAP.fullmatch(content[first:second]) if first < second else None
    if gap is None or second + length > len(content):
        raise Unfit(_uncovered())
    held = bytes.fromhex(gap[1].decode("ascii"))
    padding = held[len(ContentInfo.load(held).dump()) :]
    if held != embedded.pkcs7_content or padding.strip(b"\x00"):
        raise Unfit(_uncovered())
    return content[: second + length]


def _is_whole(embedded: EmbeddedPdfSignature) -> bool:
    """Whether nothing that people see may have changed since."""
    if embedded.coverage is SignatureCoverageLevel.ENTIRE_FILE:
        return True
    changes = embedded.diff_result
    followed = embedded.reader.xrefs.total_revisions > embedded.signed_revision + 1
    return (
        followed  # bytes behind the last revision belong to nothing
        and embedded.coverage is SignatureCoverageLevel.ENTIRE_REVISION
        and isinstance(changes, DiffResult)
        and changes.modification_level <= ModificationLevel.LTA_UPDATES
        and bool(embedded.summarise_integrity_info()["docmdp_ok"])
    )


def _tokens(signer: cms.Signer) -> Iterator[tuple[bytes, bytes]]:
    """Signature time-stamps, each over the signature value (RFC 3161 appendix A)."""
    attributes = signer.info["unsigned_attrs"]
    stamped = signer.info["signature"].native
    for token in find_cms_attribute_iter(attributes, "signature_time_stamp_token"):
        yield token.dump(), stamped


def _store(reader: PdfFileReader) -> tuple[tuple[x509.Certificate, ...], tuple[bytes, ...]]:
    """Certificates and revocation lists of the document security store, where there is one."""
    try:
        store = DocumentSecurityStore.read_dss(reader)
    except NoDSSFoundError:
        return (), ()
    certificates = [read_certificate(one.dump()) for one in list(store.load_certs())[:_MOST]]
    crls = [bytes(one.get_object().data) for one in list(store.crls)[:_MOST]]
    return tuple(certificates), tuple(crls)


def _with(opened: Opened, helpers: Iterable[x509.Certificate], crls: Iterable[bytes]) -> Opened:
    return Opened(
        form=opened.form,
        checks=opened.checks,
        certificate=opened.certificate,
        helpers=(*opened.helpers, *helpers),
        crls=(*opened.crls, *crls),
        tokens=opened.tokens,
        claimed=opened.claimed,
        covered=opened.covered,
        whole_document=opened.whole_document,
    )


def _digest(intact: bool) -> Check:
    if intact:
        return passed(
            "digest", "what is signed is unaltered", "署名対象は改変されていません", SECTION
        )
    return failed("digest", "what is signed was altered", "署名対象が改変されています", SECTION)


def _value(valid: bool) -> Check:
    if valid:
        return passed("signature", "the signature value verifies", "署名値は正しいです", SECTION)
    return failed(
        "signature", "the signature value does not verify", "署名値が正しくありません", SECTION
    )


def _coverage(*, whole: bool, alone: bool) -> Check:
    if not alone:
        return unknown(
            "coverage",
            "several signatures in one document are not read by this version",
            "一つの文書に複数の署名があるものはこの版では読み取れません",
            SECTION,
        )
    if not whole:
        return _uncovered()
    return passed("coverage", "the whole document is signed", "文書全体が署名されています", SECTION)


def _uncovered() -> Check:
    return failed(
        "coverage",
        "the signature does not cover the document, or the document was changed after it",
        "署名が文書全体を対象としていないか、署名後に変更されています",
        SECTION,
    )


def _weak() -> Check:
    return failed(
        "algorithm",
        "a signature or digest algorithm is not on the list",
        "署名またはハッシュの方式が認められません",
        SECTION,
    )


def _encrypted() -> Opened:
    check = unknown("structure", "the file is encrypted", "ファイルが暗号化されています", SECTION)
    return Opened(form="PDF", checks=(check,))


def _removed() -> Opened:
    check = failed(
        "structure",
        "the file holds a signature that was damaged or removed",
        "壊された、または取り除かれた署名があります",
        SECTION,
    )
    return Opened(form="PDF", checks=(check,))


def _unreadable() -> Opened:
    check = failed(
        "structure",
        "the signed PDF file cannot be read",
        "署名された PDF を読み取れません",
        SECTION,
    )
    return Opened(form="PDF", checks=(check,))
