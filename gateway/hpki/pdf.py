"""PDF signatures: PAdES B, T, LT and LTA (ETSI EN 319 142-1), with what they cover.

Every signature is judged. What each covers, and what may come after it, is in `pdf_coverage`. A
document time-stamp is an archive time-stamp of every signature before it. The PDF library is loaded
with this module. It reads hostile files in one process with us: callers give it a process of its
own, with limits (`security.md` E-11).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO

from asn1crypto import x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfError, PdfStrictReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.general import find_cms_attribute_iter
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from gateway.errors import Malformed
from gateway.hpki import cades_archive, cms, pdf_coverage
from gateway.hpki.certificates import readable
from gateway.hpki.libraries import RAISED
from gateway.hpki.opened import Archive, Opened, Unfit, failed, passed, unknown
from gateway.hpki.pdf_changes import Embedded
from gateway.hpki.pdf_coverage import SECTION
from gateway.hpki.policy import Algorithms
from gateway.model.signature import Check

LARGEST = 100 * 1024 * 1024
"Bytes of a PDF file (`security.md` section 3)."
_SUBFILTERS = {"/ETSI.CAdES.detached", "/adbe.pkcs7.detached"}
_TRACE = b"/ByteRange"
"What only a signature has, and never compressed."
_LONG = 1024 * 1024
_TEXT = re.compile(rb"/(?:ASCII|AHx|A85)")
"Filters of the library that ask for bytes proper."
_MOST = 30
_TROUBLE: tuple[type[BaseException], ...] = (*RAISED, PdfError, Malformed)


class _Shared(BytesIO):
    """A file whose streams are views of it: comparing revisions reads every one, and keeps it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._view = memoryview(content)

    def read(self, size: int | None = -1, /) -> bytes:
        """What follows; a view of it where it is long."""
        if size is None or size < _LONG:
            return super().read(size)
        start = self.tell()
        found = self._view[start : start + size]
        self.seek(start + len(found))
        return found  # type: ignore[return-value]  # read like bytes by all but _TEXT


def _file(content: bytes) -> BytesIO:
    return BytesIO(content) if _TEXT.search(content) else _Shared(content)


def open_signatures(content: bytes, allowed: Algorithms) -> tuple[Opened, ...]:
    """The signatures of a PDF file; none where it is unsigned.

    What cannot be read counts as signed where it shows a trace of a signature.
    """
    traces = _TRACE in content
    if not content.startswith(b"%PDF-") or len(content) > LARGEST:
        return (_unreadable(),) if traces else ()
    try:
        reader = PdfFileReader(_file(content))
        if reader.encrypted:
            return (_encrypted(),) if traces else ()
        fields = _fields(reader)
        enclosed = _store(content) if "/DSS" in reader.root else _Enclosed()
    except PdfStrictReadError as error:
        unread = _clobbered() if "must not be clobbered" in str(error) else _unreadable()
        return (unread,) if traces else ()
    except _TROUBLE:
        return (_unreadable(),) if traces else ()
    if not fields:
        return (_removed(),) if traces else ()
    if len(fields) > _MOST:
        return (_crowd(),)
    found = [_found(content, one) for one in fields]
    if all(one.stamp for one in found):
        return (_stamped_only(),)
    last = max((one.reach for one in found if not one.stamp), default=0)
    return tuple(
        _open(content, one, [other for other in found if other.stamp], allowed, enclosed, last)
        for one in found
        if not one.stamp
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One signature or document time-stamp, and how far it reaches."""

    embedded: EmbeddedPdfSignature | None = None
    stamp: bool = False
    reach: int = 0
    changes: ModificationLevel = ModificationLevel.OTHER
    "What came after it."
    problem: Check | None = None

    def is_whole(self, last: int) -> bool:
        """Whether what came after it is permitted; the last signature reaches to `last`."""
        return pdf_coverage.is_whole(self.changes, followed=self.reach < last)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Enclosed:
    """What the document security store holds (EN 319 142-1 5.4.2)."""

    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()


def _fields(reader: PdfFileReader) -> list[tuple[PdfFileReader, object, str, bool]]:
    """The fields that hold a signature or a document time-stamp."""
    return [
        (reader, field, name, value.get_object().get("/Type", "/Sig") == "/DocTimeStamp")
        for name, value, field in enumerate_sig_fields(reader, filled_status=True)
    ]


def _found(content: bytes, field: tuple[PdfFileReader, object, str, bool]) -> _Found:
    """One field, read as far as what it covers."""
    reader, held, name, stamp = field
    try:
        embedded = Embedded(reader, held, name)
        _check_kind(embedded, stamp=stamp)
        reach = pdf_coverage.end(content, embedded)
        changes = pdf_coverage.changes(content, embedded, reach)
    except Unfit as unfit:
        return _Found(stamp=stamp, problem=unfit.check)
    except _TROUBLE:
        return _Found(stamp=stamp, problem=_unread())
    return _Found(embedded=embedded, stamp=stamp, reach=reach, changes=changes)


def _open(
    content: bytes,
    found: _Found,
    stamps: list[_Found],
    allowed: Algorithms,
    enclosed: _Enclosed,
    last: int,
) -> Opened:
    """One signature, as far as it can be judged without trust."""
    embedded = found.embedded
    if embedded is None:
        return Opened(form="PAdES", checks=(found.problem or _unread(),))
    try:
        signer = cms.read_signer(embedded.signed_data)
        certificate = _certificate(signer, enclosed.certificates)
        signer = cms.read_info(signer.signed, signer.info, (certificate, *signer.others))
        if cms.weakness(signer, allowed):
            raise Unfit(_weak())
        intact, valid = cms.is_intact(signer, "data", embedded.compute_digest)
        tokens = tuple(_tokens(signer))
        contents = cades_archive.content_stamps(signer.info, embedded.compute_digest)
        claimed = embedded.self_reported_timestamp
        own = tuple(one.chosen.dump() for one in list(signer.signed["crls"] or ())[:_MOST])
    except Unfit as unfit:
        return Opened(form="PAdES", checks=(unfit.check,))
    except _TROUBLE:
        return _unreadable()
    later = [one for one in stamps if one.problem is not None or one.reach > found.reach]
    whole, outermost = found.is_whole(last), found.reach == last
    sound = intact and valid and whole
    covered = memoryview(content)[: found.reach]
    return Opened(
        form="PAdES",
        checks=(
            _digest(intact),
            _value(valid),
            pdf_coverage.check(whole=whole),
            *(_stamp_problem(one) for one in later if not one.is_whole(last)),
        ),
        certificate=certificate,
        helpers=(*signer.others, *enclosed.certificates),
        crls=(*own, *enclosed.crls),
        tokens=tokens,
        archives=tuple(_archives(later)),
        contents=contents,
        level=_level(tokens=bool(tokens), values=bool(enclosed.crls), stamps=bool(later)),
        digests=signer.digests,
        claimed=claimed if claimed is not None and claimed.tzinfo is not None else None,
        covered=(content if found.reach == len(content) else covered)
        if sound and outermost
        else b"",
        covered_sha256=hashlib.sha256(covered).hexdigest() if sound and not outermost else "",
        whole_document=sound and outermost,
    )


def _archives(stamps: list[_Found]) -> Iterator[Archive]:
    """Document time-stamps, oldest first; each is over the file up to itself."""
    for one in sorted(stamps, key=lambda one: one.reach):
        if one.embedded is not None:
            yield Archive(one.embedded.pkcs7_content, one.embedded.compute_digest)


def _level(*, tokens: bool, values: bool, stamps: bool) -> str:
    """The level by what is there (EN 319 142-1 6)."""
    if stamps and values:
        return "LTA"
    if tokens or stamps:
        return "LT" if values else "T"
    return "B"


def _check_kind(embedded: EmbeddedPdfSignature, *, stamp: bool) -> None:
    """Detached CMS over the file, or a token, of a kind that we know."""
    if stamp:
        if embedded.sig_object.get("/SubFilter") != "/ETSI.RFC3161":
            raise Malformed("not a document time-stamp")
        return
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


def _certificate(signer: cms.Signer, enclosed: tuple[x509.Certificate, ...]) -> x509.Certificate:
    """The signer's certificate, named by a signed attribute (EN 319 142-1 6.3)."""
    found = signer.certificate
    if found is None:
        found = cms.read_info(signer.signed, signer.info, enclosed).certificate
    if found is None:
        raise Unfit(
            unknown(
                "signer",
                "the signer's certificate is not in the document",
                "署名者の証明書が文書にありません",
                "EN 319 142-1 6.3",
            )
        )
    if cms.names_certificate(signer.info, found) is not True:
        raise Unfit(
            failed(
                "signer",
                "the signature does not name its certificate, or names another one",
                "署名証明書属性がないか、証明書と一致しません",
                "EN 319 142-1 6.3",
            )
        )
    return found


def _tokens(signer: cms.Signer) -> Iterator[tuple[bytes, bytes]]:
    """Signature time-stamps, each over the signature value (RFC 3161 appendix A)."""
    attributes = signer.info["unsigned_attrs"]
    stamped = signer.info["signature"].native
    for token in find_cms_attribute_iter(attributes, "signature_time_stamp_token"):
        yield token.dump(), stamped


def _store(content: bytes) -> _Enclosed:
    """Certificates and lists of the document security store and its VRI (EN 319 142-1 5.4.2).

    HPKI has no OCSP: answers of that kind are not read. The library reads bytes here, no views.
    """
    try:
        store = DocumentSecurityStore.read_dss(PdfFileReader(BytesIO(content)))
    except NoDSSFoundError:
        return _Enclosed()
    entries = [one.get_object() for one in list((store.vri_entries or {}).values())[:_MOST]]
    certificates = _streams(store.certs.values(), entries, "/Cert")
    return _Enclosed(
        certificates=tuple(readable(certificates)),
        crls=tuple(_streams(store.crls, entries, "/CRL")),
    )


def _streams(
    listed: Iterable[generic.PdfObject], entries: Iterable[generic.DictionaryObject], name: str
) -> list[bytes]:
    """The contents of streams that are listed, or named by an entry for one signature."""
    named = [one for entry in entries if name in entry for one in entry[name]]
    found = dict.fromkeys(
        bytes(one.get_object().data) for one in [*list(listed)[:_MOST], *named[:_MOST]]
    )
    return list(found)


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


def _stamp_problem(stamp: _Found) -> Check:
    """A document time-stamp that cannot be one: something is wrong with the file."""
    reason = stamp.problem or pdf_coverage.uncovered()
    return failed(
        "archive-time-stamp",
        f"a document time-stamp: {reason.reason}",
        f"文書タイムスタンプ: {reason.japanese}",
        "EN 319 142-1 5.4.3",
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


def _clobbered() -> Opened:
    """As PDFBox writes a second revision of a file with cross-reference streams."""
    check = unknown(
        "structure",
        "a revision uses the number of its cross-references again, so that what it changed cannot"
        " be told: ask the sender for the file as it was first signed",
        "相互参照ストリームの番号が再利用されており、署名後の変更を判別できません。"
        "最初に署名された時点のファイルを送付元に依頼してください",
        SECTION,
    )
    return Opened(form="PDF", checks=(check,))


def _removed() -> Opened:
    check = failed(
        "structure",
        "the file holds a signature that was damaged or removed",
        "壊された、または取り除かれた署名があります",
        SECTION,
    )
    return Opened(form="PDF", checks=(check,))


def _stamped_only() -> Opened:
    check = unknown(
        "structure",
        "the file is time-stamped and not signed",
        "タイムスタンプだけがあり、署名がありません",
        SECTION,
    )
    return Opened(form="PDF", checks=(check,))


def _crowd() -> Opened:
    check = failed("structure", "there are too many signatures", "署名の数が多すぎます", "G9")
    return Opened(form="PDF", checks=(check,))


def _unreadable() -> Opened:
    return Opened(form="PDF", checks=(_unread(),))


def _unread() -> Check:
    return failed(
        "structure",
        "the signed PDF file cannot be read",
        "署名された PDF を読み取れません",
        SECTION,
    )
