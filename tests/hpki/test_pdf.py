"""Signed PDF files: what the signature covers, what came after it, what cannot be read."""

from io import BytesIO

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.demo import sign
from gateway.hpki.verify import verify
from gateway.model.signature import CheckOutcome, Indication, SignatureReport
from tests import pki

SIGNED = pki.pdf()


def judge(content: bytes) -> SignatureReport:
    return verify(content, pki.policy(), at=pki.NOW)


def problems(report: SignatureReport) -> dict[str, str]:
    return {
        check.name: check.reason
        for one in report.signatures
        for check in one.checks
        if check.outcome is not CheckOutcome.PASSED
    }


def written(writer: IncrementalPdfFileWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_whole_file_is_covered_to_its_last_byte() -> None:
    report = judge(SIGNED)
    assert report.passed
    (one,) = report.signatures
    assert (one.covered, one.whole_document) == (SIGNED, True)
    assert one.covered_sha256 == report.file_sha256


def test_without_a_stamp_it_is_of_the_basic_level() -> None:
    report = verify(pki.pdf(stamped=None), pki.policy(), at=pki.NOW, received=pki.SIGNED)
    assert report.passed
    assert report.signatures[0].format == "PAdES-B"


def added_page() -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(SIGNED))
    pages = writer.root["/Pages"]
    page = writer.add_object(
        generic.DictionaryObject(
            {
                generic.NameObject("/Type"): generic.NameObject("/Page"),
                generic.NameObject("/Parent"): writer.root.raw_get("/Pages"),
                generic.NameObject("/MediaBox"): generic.ArrayObject(
                    map(generic.NumberObject, (0, 0, 595, 842))
                ),
            }
        )
    )
    pages["/Kids"].append(page)
    pages["/Count"] = generic.NumberObject(2)
    writer.update_container(pages["/Kids"])
    return written(writer)


def replaced_text() -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(SIGNED))
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    page[generic.NameObject("/Contents")] = writer.add_object(
        generic.StreamObject(stream_data=b"BT /F1 40 Tf (forged) Tj ET")
    )
    writer.update_container(page)
    return written(writer)


def removed_field() -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(SIGNED))
    form = writer.root["/AcroForm"]
    form[generic.NameObject("/Fields")] = generic.ArrayObject()
    writer.update_container(form)
    return written(writer)


def byte_changed(place: bytes, by: int = 1) -> bytes:
    at = SIGNED.index(place) + len(place)
    return SIGNED[:at] + bytes([SIGNED[at] ^ by]) + SIGNED[at + 1 :]


def another_range() -> bytes:
    """The second range begins before the signature ends."""
    start = SIGNED.index(b"/ByteRange [") + len(b"/ByteRange [")
    end = SIGNED.index(b"]", start)
    numbers = [int(number) for number in SIGNED[start:end].split()]
    numbers[2] -= 2
    numbers[3] += 2
    text = b" ".join(b"%d" % number for number in numbers).ljust(end - start)
    return SIGNED[:start] + text + SIGNED[end:]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(added_page(), "coverage", id="a page was added"),
        pytest.param(replaced_text(), "coverage", id="the text was replaced"),
        pytest.param(removed_field(), "structure", id="the field was removed"),
        pytest.param(SIGNED + b"\n", "coverage", id="a byte was appended"),
        pytest.param(SIGNED + SIGNED, "coverage", id="itself was appended"),
        pytest.param(byte_changed(b"Tm <"), "digest", id="a letter was changed"),
        pytest.param(byte_changed(b"/MediaBox ["), "digest", id="the page size was changed"),
        pytest.param(another_range(), "coverage", id="ranges overlap"),
    ],
)
def test_changes_are_found(content: bytes, name: str) -> None:
    report = judge(content)
    assert report.indication is Indication.INVALID
    assert name in problems(report)
    assert all(one.covered == b"" for one in report.signatures)


def _signer(card, *, attribute: bool = True, chain=True) -> signers.SimpleSigner:
    hand = pki.hand(card)
    store = SimpleCertificateStore()
    if chain:
        store.register(pki.parsed(pki.hierarchy().signing))
    return signers.SimpleSigner(
        signing_cert=pki.parsed(card),
        signing_key=sign._asn1_key(hand.key),
        cert_registry=store,
        attribute_certs=(),
    )


def signed_as(subfilter: fields.SigSeedSubFilter, digest: str = "sha256") -> bytes:
    about = signers.PdfSignatureMetadata(field_name="S", md_algorithm=digest, subfilter=subfilter)
    out = signers.sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pki.page())), about, signer=_signer(pki.doctor())
    )
    return bytes(out.getbuffer())


def test_the_older_form_counts_where_it_names_its_certificate() -> None:
    content = signed_as(fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED)
    report = verify(content, pki.policy(), at=pki.NOW, received=pki.SIGNED)
    assert set(problems(report)) <= {"signer"}


def test_a_weak_digest_is_refused() -> None:
    content = signed_as(fields.SigSeedSubFilter.PADES, "sha1")
    assert problems(judge(content)) == {
        "algorithm": "a signature or digest algorithm is not on the list"
    }


def test_an_encrypted_file_is_read_by_nobody() -> None:
    writer = copy_into_new_writer(PdfFileReader(BytesIO(pki.page())))
    writer.encrypt(owner_pass="x", user_pass="y")
    out = BytesIO()
    writer.write(out)
    assert judge(out.getvalue()).indication is Indication.UNVERIFIABLE


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"%PDF-1.7", id="a header"),
        pytest.param(b"%PDF-1.7\n/ByteRange", id="a header and a trace"),
        pytest.param(b"GIF89a\n" + SIGNED, id="another file in front"),
        pytest.param(SIGNED.replace(b"/Pages 2 0 R", b"/Pages 1 0 R"), id="a loop"),
        pytest.param(SIGNED.replace(b"/Count 1", b"/Count 9"), id="a wrong count"),
        pytest.param(SIGNED.replace(b"startxref", b"startxxxx"), id="no cross-reference"),
        pytest.param(SIGNED.replace(b"/Contents <", b"/Contents <zz"), id="no hexadecimal"),
        pytest.param(SIGNED.replace(b"/SubFilter /ETSI", b"/SubFilter /XTSI"), id="unknown kind"),
        pytest.param(SIGNED.replace(b"/ByteRange [", b"/ByteRange [9"), id="a shifted range"),
        pytest.param(SIGNED.replace(b"/ByteRange [0", b"/ByteRange [-"), id="a negative range"),
    ],
)
def test_odd_files_are_never_verified_and_never_raise(content: bytes) -> None:
    assert judge(content).indication is not Indication.VERIFIED
