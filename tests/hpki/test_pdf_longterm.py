"""PAdES LT and LTA, several signatures: what each covers, and at what time each is judged."""

import hashlib
import random
import tracemalloc
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO

import pytest
from asn1crypto.crl import CertificateList
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ReasonFlags
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.signers.pdf_signer import PdfTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.demo import sign
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.revocation import read_list
from gateway.hpki.verify import verify
from gateway.model.signature import Indication, SignatureReport
from tests import pki
from tests.hpki.test_pdf import problems, removed_field, written

HERE = pki.hierarchy()
DAY = timedelta(days=1)
SHORT = pki.stamper(HERE.tsa_root, serial=8, until=pki.SIGNED + 10 * DAY)
"Its certificate ends ten days after the signature; the tests look a month later."
LISTS = (HERE.crl(), HERE.sarl, HERE.tsa_crl)
VERIFIED, INVALID, UNVERIFIABLE = (
    Indication.VERIFIED,
    Indication.INVALID,
    Indication.UNVERIFIABLE,
)


def judge(content: bytes, policy: SignaturePolicy | None = None) -> SignatureReport:
    return verify(content, policy or pki.policy(), at=pki.NOW)


def signed(tsa: Issued | None = SHORT, page: bytes | None = None) -> bytes:
    authority = sign.stamper(tsa.certificate, tsa.key, pki.SIGNED) if tsa else None
    return sign.pades(page or pki.page(), pki.hand(pki.doctor()), authority)


def stored(content: bytes, lists: Sequence[object] = LISTS, *, listed: bool = True) -> bytes:
    """With a document security store; `listed` False leaves all to the entry of the signature."""
    writer = IncrementalPdfFileWriter(BytesIO(content))
    value = writer.prev.embedded_signatures[-1].pkcs7_content
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        value.hex().encode("ascii"),
        certs=[pki.parsed(HERE.signing)],
        crls=[CertificateList.load(_der(one)) for one in lists],
    )
    if not listed:
        for name in ("/Certs", "/CRLs"):
            writer.root["/DSS"].pop(name)
    return written(writer)


def _der(one: object) -> bytes:
    return one.crl.public_bytes(Encoding.DER)


def stamped(content: bytes, moment: datetime = pki.AFTER, tsa: Issued | None = None) -> bytes:
    """With a document time-stamp."""
    tsa = tsa or HERE.tsa
    authority = sign.stamper(tsa.certificate, tsa.key, moment)
    out = PdfTimeStamper(authority).timestamp_pdf(
        IncrementalPdfFileWriter(BytesIO(content)), "sha256"
    )
    return bytes(out.getbuffer())


def signed_again(content: bytes, name: str = "Second") -> bytes:
    card = pki.hand(pki.doctor())
    about = signers.PdfSignatureMetadata(
        field_name=name, md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES
    )
    signer = signers.SimpleSigner(
        signing_cert=pki.parsed(pki.doctor()),
        signing_key=sign._asn1_key(card.key),
        cert_registry=None,
    )
    out = signers.sign_pdf(
        IncrementalPdfFileWriter(BytesIO(content)),
        about,
        signer=signer,
        timestamper=sign.stamper(HERE.tsa.certificate, HERE.tsa.key, pki.SIGNED),
    )
    return bytes(out.getbuffer())


# --- the store of validation data ---------------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False])
def test_the_lists_in_the_file_are_enough(listed: bool) -> None:
    content = stored(signed(HERE.tsa), listed=listed)
    report = judge(content, pki.policy(()))
    assert problems(report) == {}
    assert report.signatures[0].format == "PAdES-LT"
    assert judge(signed(HERE.tsa), pki.policy(())).indication is UNVERIFIABLE


@pytest.mark.parametrize(
    ("since", "verdict", "reason"),
    [
        (pki.BEFORE, INVALID, "the certificate was revoked at or before that time"),
        (pki.AFTER, VERIFIED, None),
    ],
)
def test_revocation_in_the_file(since: datetime, verdict: Indication, reason: str | None) -> None:
    crl = HERE.crl([(100, since, ReasonFlags.key_compromise)], since=pki.AFTER + DAY)
    report = judge(stored(signed(HERE.tsa), (crl, HERE.sarl, HERE.tsa_crl)), pki.policy(()))
    assert report.indication is verdict
    assert problems(report).get("revocation") == reason


def test_a_list_of_the_wrong_authority_says_nothing() -> None:
    content = stored(signed(HERE.tsa), (pki.rogue().crl(), HERE.sarl, HERE.tsa_crl))
    report = judge(content, pki.policy(()))
    assert report.indication is UNVERIFIABLE
    assert "no usable revocation list" in problems(report)["revocation"]


def test_a_list_in_the_file_may_be_large() -> None:
    """So large that the file's reader would hand out a view of it."""
    note = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.7"), bytes(1_100_000))
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(HERE.signing.certificate.subject)
        .last_update(pki.BEFORE).next_update(pki.AFTER)
        .add_extension(make.authority_key(HERE.signing), False).add_extension(note, False)
    )  # fmt: skip
    der = builder.sign(HERE.signing.key, hashes.SHA256()).public_bytes(Encoding.DER)
    large = read_list(der)
    content = stored(signed_again(signed(HERE.tsa)), (large, HERE.sarl, HERE.tsa_crl))
    assert len(content) > 1_100_000
    report = judge(content, pki.policy(()))
    assert problems(report) == {}
    assert all(large.sha256 in one.evidence for one in report.signatures)


# --- document time-stamps -----------------------------------------------------------------------


def test_a_token_whose_authority_has_ended_counts_inside_a_later_one() -> None:
    alone = judge(stored(signed()))
    assert alone.indication is UNVERIFIABLE
    assert "has ended since" in problems(alone)["time-stamp"]
    report = judge(stamped(stored(signed())))
    assert problems(report) == {}
    (one,) = report.signatures
    assert (one.format, one.proven) == ("PAdES-LTA", pki.SIGNED)
    assert one.whole_document


def test_a_chain_of_time_stamps_holds_as_long_as_each_was_renewed_in_time() -> None:
    once = stamped(stored(signed()), pki.SIGNED + 5 * DAY, SHORT)
    assert judge(once).indication is UNVERIFIABLE
    twice = stamped(once, pki.SIGNED + 9 * DAY)
    assert problems(judge(twice)) == {}
    late = stamped(once, pki.SIGNED + 11 * DAY)
    report = judge(late)
    assert report.indication is UNVERIFIABLE
    assert "has ended since" in problems(report)["archive-time-stamp"]


def test_a_document_time_stamp_alone_proves_the_time() -> None:
    report = judge(stamped(signed(None), pki.SIGNED))
    assert problems(report) == {}
    (one,) = report.signatures
    assert (one.format, one.proven) == ("PAdES-T", pki.SIGNED)


def test_a_time_stamp_alone_is_no_signature() -> None:
    report = judge(stamped(pki.page()))
    assert report.indication is UNVERIFIABLE
    assert problems(report) == {"structure": "the file is time-stamped and not signed"}


def swapped_token() -> bytes:
    """The document time-stamp of another file, in the place of this one's."""
    here, there = stamped(stored(signed())), stamped(signed(page=pki.page("別の文書")))

    def value(content: bytes) -> tuple[int, int]:
        start = content.rindex(b"/Contents <") + len(b"/Contents <")
        return start, content.index(b">", start)

    (start, stop), (first, last) = value(here), value(there)
    assert stop - start == last - first
    return here[:start] + there[first:last] + here[stop:]


def test_attacks_on_document_time_stamps() -> None:
    wrong = pki.stamper(HERE.tsa_root, make.leaf(), make.usage("digital_signature"))
    base = stored(signed())
    for content, verdict, reason in (
        (swapped_token(), INVALID, "it stamps something else than this signature"),
        (stamped(base, tsa=wrong), INVALID, "not for time-stamping alone"),
        (stamped(base, tsa=pki.rogue().tsa), UNVERIFIABLE, "not on the list for that time"),
        (stamped(base, pki.NOW + DAY), INVALID, "its time is later than"),
        (stamped(base, pki.BEFORE), INVALID, None),
    ):
        report = judge(content)
        assert report.indication is verdict
        found = problems(report)
        if reason is None:  # the signature's own token is later than the one around it
            assert "its time is later than" in found["time-stamp"]
        else:
            assert reason in found["archive-time-stamp"]


def test_what_the_time_stamp_covers_cannot_be_removed() -> None:
    whole = stamped(stored(signed()))
    place = whole.index(b"/DSS")
    report = judge(whole[:place] + b"/XSS" + whole[place + 4 :])
    assert report.indication is INVALID
    assert not any(one.covered for one in report.signatures)


def test_bytes_behind_the_last_time_stamp_belong_to_nothing() -> None:
    whole = stamped(stored(signed()))
    for tail in (
        b"x",
        b"\n% note",
        b"\nstartxref\n9\n%%EOF\n",
        whole[whole.rindex(b"startxref") :],
    ):
        report = judge(whole + tail)
        assert report.indication is INVALID


# --- several signatures -------------------------------------------------------------------------


def test_each_signature_covers_its_revision() -> None:
    once = signed(HERE.tsa)
    twice = signed_again(once)
    report = judge(twice)
    assert problems(report) == {}
    first, second = report.signatures
    assert (first.whole_document, second.whole_document) == (False, True)
    assert second.covered == twice
    assert first.covered_sha256 == hashlib.sha256(once).hexdigest()
    assert {one.proven for one in report.signatures} == {pki.SIGNED}


def test_signatures_and_the_archive_around_them() -> None:
    whole = stamped(stored(signed_again(stored(signed()))))
    report = judge(whole, pki.policy(()))
    assert problems(report) == {}
    assert [one.format for one in report.signatures] == ["PAdES-LTA", "PAdES-LTA"]


def with_field(value: bytes) -> bytes:
    """A page with a text field that has a value."""
    writer = IncrementalPdfFileWriter(BytesIO(pki.page()))
    field = writer.add_object(
        generic.DictionaryObject(
            {
                generic.NameObject("/FT"): generic.NameObject("/Tx"),
                generic.NameObject("/T"): generic.TextStringObject("dose"),
                generic.NameObject("/V"): generic.TextStringObject(value.decode()),
            }
        )
    )
    writer.root[generic.NameObject("/AcroForm")] = generic.DictionaryObject(
        {generic.NameObject("/Fields"): generic.ArrayObject([field])}
    )
    writer.update_root()
    return written(writer)


def filled_in(content: bytes) -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(content))
    (field,) = (
        one.get_object()
        for one in writer.root["/AcroForm"]["/Fields"]
        if one.get_object().get("/T") == "dose"
    )
    field[generic.NameObject("/V")] = generic.TextStringObject("10 mg")
    writer.update_container(field)
    return written(writer)


def page_changed(content: bytes) -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(content))
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    page[generic.NameObject("/Contents")] = writer.add_object(
        generic.StreamObject(stream_data=b"BT /F1 40 Tf (forged) Tj ET")
    )
    writer.update_container(page)
    return written(writer)


def empty_field(content: bytes) -> bytes:
    """A further signature field that nobody has signed, where it can show anything."""
    writer = IncrementalPdfFileWriter(BytesIO(content))
    fields.append_signature_field(
        writer, fields.SigFieldSpec("Unsigned", box=(10, 10, 300, 300), on_page=0)
    )
    return written(writer)


FORM = with_field(b"1 mg")


def test_a_form_that_is_not_touched_is_fine() -> None:
    assert problems(judge(signed(HERE.tsa, FORM))) == {}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda: filled_in(signed(HERE.tsa, FORM)), id="a field is filled in"),
        pytest.param(lambda: signed_again(filled_in(signed(HERE.tsa, FORM))), id="and signed"),
        pytest.param(lambda: stamped(filled_in(signed(HERE.tsa, FORM))), id="and stamped"),
        pytest.param(lambda: signed_again(page_changed(signed(HERE.tsa))), id="a page is changed"),
        pytest.param(lambda: empty_field(signed(HERE.tsa)), id="an unsigned field appears"),
        pytest.param(lambda: stamped(empty_field(signed(HERE.tsa))), id="and is stamped"),
    ],
)
def test_only_permitted_changes_may_follow(content) -> None:
    report = judge(content())
    assert report.indication is INVALID
    assert "or the document was changed after it" in problems(report)["coverage"]


def test_a_removed_signature_is_missed() -> None:
    report = judge(removed_field())
    assert report.indication is INVALID
    assert "damaged or removed" in problems(report)["structure"]


def test_one_bad_signature_spoils_the_document() -> None:
    twice = signed_again(signed(HERE.tsa))
    place = twice.rindex(b"/Contents <") + 3000
    report = judge(
        twice[:place] + (b"0" if twice[place : place + 1] != b"0" else b"1") + twice[place + 1 :]
    )
    verdicts = [one.indication for one in report.signatures]
    assert report.indication is not VERIFIED
    assert verdicts[0] is VERIFIED


# --- memory ---------------------------------------------------------------------------------------


def large(size: int, name: str) -> bytes:
    """A page with a stream of so many bytes, which only its catalogue names."""
    writer = IncrementalPdfFileWriter(BytesIO(pki.page()))
    entries = {generic.pdf_name("/Note"): generic.pdf_name(name)}
    held = generic.StreamObject(entries, stream_data=random.Random(1).randbytes(size))  # noqa: S311
    writer.root[generic.pdf_name("/Held")] = writer.add_object(held)
    writer.update_root()
    return written(writer)


@pytest.mark.parametrize(
    ("name", "copies"), [("/Plain", 0), ("/ASCII85Decode", 1)], ids=["views", "a copy"]
)
def test_what_is_large_is_not_copied(name: str, copies: int) -> None:
    """Comparing revisions reads every stream, and the covered bytes are the file's beginning."""
    size = 4 * 1024 * 1024
    hand = pki.hand(pki.doctor())
    authority = sign.stamper(HERE.tsa.certificate, HERE.tsa.key, pki.SIGNED)
    first = sign.pades(large(size, name), hand, authority)
    content = stamped(first)
    assert judge(content).passed  # what is loaded once does not count
    tracemalloc.start()
    try:
        report = judge(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.passed
    assert copies * size <= peak < (copies + 0.5) * size
    (one,) = report.signatures
    assert isinstance(one.octets, memoryview)
    assert one.covered == first
    assert one.covered_sha256 == hashlib.sha256(first).hexdigest()
