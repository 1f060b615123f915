"""What follows a PDF signature and shows, or says, something that nobody signed."""

import struct
from collections.abc import Callable
from io import BytesIO

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader

from gateway.model.signature import Indication
from tests import pki
from tests.hpki.test_pdf import judge, problems, written
from tests.hpki.test_pdf_longterm import HERE, signed, stamped, with_field

PLACE = (50, 50, 500, 700)
DIVIDED = "or the document was changed after it"
Writer = IncrementalPdfFileWriter


def name(text: str) -> generic.NameObject:
    return generic.NameObject(text)


def numbers(*values: int) -> generic.ArrayObject:
    return generic.ArrayObject(map(generic.NumberObject, values))


def words(text: str) -> generic.TextStringObject:
    return generic.TextStringObject(text)


def dictionary(**entries: generic.PdfObject) -> generic.DictionaryObject:
    return generic.DictionaryObject({name(f"/{key}"): value for key, value in entries.items()})


def changed(content: bytes, change: Callable[[Writer], None]) -> bytes:
    """A further revision, in which the library itself adds no metadata."""
    writer = IncrementalPdfFileWriter(BytesIO(content))
    writer._update_meta = lambda: None
    change(writer)
    return written(writer)


# --- a field for a time-stamp ---------------------------------------------------------------------


def _hide(writer: Writer) -> None:
    """Something that is in the file, signed, and shown nowhere."""
    entries = dictionary(Type=name("/XObject"), Subtype=name("/Form"), BBox=numbers(0, 0, 9, 9))
    drawn = generic.StreamObject(dict(entries), stream_data=b"1 0 0 rg 0 0 9 9 re f")
    writer.root[name("/Held")] = writer.add_object(drawn)
    writer.update_root()


BASE = signed(HERE.tsa, changed(pki.page(), _hide))


def field(writer: Writer, entries: generic.DictionaryObject) -> None:
    """A signature field on the page, which can then be stamped."""
    page = writer.root["/Pages"]["/Kids"].raw_get(0)
    about = dictionary(FT=name("/Sig"), T=words("Stamp"), Type=name("/Annot"), P=page)
    reference = writer.add_object(
        generic.DictionaryObject({**about, name("/Subtype"): name("/Widget"), **entries})
    )
    fields = writer.root["/AcroForm"]["/Fields"]
    fields.append(reference)
    writer.update_container(fields)
    page.get_object()["/Annots"].append(reference)
    writer.update_container(page.get_object()["/Annots"])


def showing(writer: Writer) -> generic.DictionaryObject:
    """An appearance that was in the file before."""
    held = writer.root.raw_get("/Held")
    return dictionary(N=generic.IndirectObject(held.idnum, held.generation, writer))


def _script() -> generic.DictionaryObject:
    return dictionary(S=name("/JavaScript"), JS=words("app.alert(1)"))


FIELDS: dict[str, Callable[[Writer], generic.DictionaryObject]] = {
    "a place of five numbers": lambda writer: dictionary(
        Rect=numbers(*PLACE, 0), AP=showing(writer)
    ),
    "a place with a text in it": lambda writer: dictionary(
        Rect=generic.ArrayObject([*numbers(*PLACE[:3]), words("700")]), AP=showing(writer)
    ),
    "a place that is a text": lambda writer: dictionary(Rect=words("50 50 500 700")),
    "a place on the page": lambda writer: dictionary(Rect=numbers(*PLACE), AP=showing(writer)),
    "a script when the page opens": lambda writer: dictionary(
        Rect=numbers(0, 0, 0, 0), AA=dictionary(PO=_script())
    ),
    "a script when it is touched": lambda writer: dictionary(Rect=numbers(0, 0, 0, 0), A=_script()),
    "a widget with another place": lambda writer: dictionary(
        Kids=generic.ArrayObject(
            [
                writer.add_object(
                    dictionary(Subtype=name("/Widget"), Rect=numbers(*PLACE, 0), AP=showing(writer))
                )
            ]
        )
    ),
    "a widget with parts": lambda writer: dictionary(
        Kids=generic.ArrayObject(
            [writer.add_object(dictionary(Kids=generic.ArrayObject(), Rect=numbers(0, 0, 0, 0)))]
        )
    ),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_for_a_time_stamp_shows_and_does_nothing(case: str) -> None:
    content = changed(BASE, lambda writer: field(writer, FIELDS[case](writer)))
    for one in (content, stamped(content)):
        report = judge(one)
        assert report.indication is Indication.INVALID
        assert DIVIDED in problems(report)["coverage"]


def test_a_field_without_a_place_may_be_stamped() -> None:
    for place in (numbers(0, 0, 0, 0), numbers(9, 9, 9, 9)):
        entries = dictionary(Rect=place)
        content = stamped(changed(BASE, lambda writer, held=entries: field(writer, held)))
        assert problems(judge(content)) == {}


def drawing(writer: Writer, content: bytes, *, more: bool = False) -> generic.DictionaryObject:
    """A field without a place, and an appearance for it."""
    about = dictionary(Type=name("/XObject"), Subtype=name("/Form"), BBox=numbers(0, 0, 9, 9))
    stream = generic.StreamObject(dict(about), stream_data=content)
    stream.compress()
    parts = {"N": writer.add_object(stream), **({"D": showing(writer)} if more else {})}
    return dictionary(Rect=numbers(0, 0, 0, 0), AP=writer.add_object(dictionary(**parts)))


@pytest.mark.parametrize("content", [b"", b"q\nQ\n", b"% DSBlank\n"])
def test_a_field_may_have_an_appearance_of_nothing(content: bytes) -> None:
    """As PDFBox writes it, which has no fields without an appearance."""
    held = changed(BASE, lambda writer: field(writer, drawing(writer, content)))
    assert problems(judge(stamped(held))) == {}
    other = changed(BASE, lambda writer: field(writer, drawing(writer, content, more=True)))
    assert judge(stamped(other)).indication is Indication.INVALID


@pytest.mark.parametrize("content", [b"0 0 9 9 re f", b"q /X Do Q", b"% a\n0 0 9 9 re f", b"qQ f"])
def test_and_not_of_something(content: bytes) -> None:
    held = changed(BASE, lambda writer: field(writer, drawing(writer, content)))
    assert judge(stamped(held)).indication is Indication.INVALID


# --- how the form is drawn ------------------------------------------------------------------------


SETTINGS: dict[str, tuple[str, generic.PdfObject]] = {
    "fields are drawn anew": ("/NeedAppearances", generic.BooleanObject(True)),
    "in another colour": ("/DA", words("/F1 40 Tf 1 g")),
    "to the right": ("/Q", generic.NumberObject(2)),
}


def setting(content: bytes, key: str, value: generic.PdfObject) -> bytes:
    def change(writer: Writer) -> None:
        form = writer.root["/AcroForm"]
        form[name(key)] = value
        writer.update_container(form)

    return changed(content, change)


@pytest.mark.parametrize("case", SETTINGS)
def test_fields_of_a_signed_form_are_drawn_as_before(case: str) -> None:
    form = signed(HERE.tsa, with_field(b"1 mg"))
    for content in (setting(form, *SETTINGS[case]), stamped(setting(form, *SETTINGS[case]))):
        report = judge(content)
        assert report.indication is Indication.INVALID
        assert DIVIDED in problems(report)["coverage"]
    # Where there is no other field than for signatures, nothing is drawn anew.
    assert problems(judge(setting(BASE, *SETTINGS[case]))) == {}


def fonts(*, drawn: str = "/Helvetica", **more: generic.PdfObject) -> generic.DictionaryObject:
    """Resources of a form: a font, and what else there is."""
    held = dictionary(F1=dictionary(BaseFont=name(drawn)))
    return dictionary(Font=held, ProcSet=generic.ArrayObject([name("/PDF")]), **more)


def test_a_signed_form_keeps_its_fonts() -> None:
    """Signers add to them what their own field shows."""
    form = signed(HERE.tsa, setting(with_field(b"1 mg"), "/DR", fonts()))
    more = fonts(XObject=dictionary(FRM=generic.NullObject()))
    more["/Font"][name("/Helv")] = dictionary(BaseFont=name("/Helvetica"))
    assert problems(judge(setting(form, "/DR", more))) == {}
    for other in (
        fonts(drawn="/ZapfDingbats"),
        dictionary(),
        dictionary(Font=name("/F1")),
        dictionary(Font=dictionary(F1=dictionary(BaseFont=name("/Helvetica")))),
        name("/F1"),
    ):
        report = judge(setting(form, "/DR", other))
        assert report.indication is Indication.INVALID
        assert DIVIDED in problems(report)["coverage"]


# --- what is in the file at all -------------------------------------------------------------------


def revision(content: bytes, rows: bytes, more: bytes = b"", *, grown: int = 0) -> bytes:
    """A further revision of nothing but these cross-references."""
    reader = PdfFileReader(BytesIO(content))
    trailer = b"<</Size %d/Root %d 0 R/Prev %d%s>>" % (
        reader.trailer["/Size"] + grown, reader.root_ref.idnum, reader.last_startxref, more,
    )  # fmt: skip
    start = len(content)
    return content + b"xref\n%strailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (rows, trailer, start)


def test_nothing_is_removed() -> None:
    size = PdfFileReader(BytesIO(BASE)).trailer["/Size"]
    page = PdfFileReader(BytesIO(BASE)).root["/Pages"]["/Kids"].raw_get(0).idnum
    for number in (page, page + 1):
        report = judge(revision(BASE, b"%d 1\n0000000000 00001 f \n" % number))
        assert report.indication is Indication.INVALID
    unused = revision(BASE, b"%d 1\n0000000000 65535 f \n" % size, grown=1)
    assert problems(judge(unused)) == {}


def test_nothing_is_added_where_only_some_readers_look() -> None:
    """A table of nothing, and beside it a stream that tells where the page's text is now."""
    reader = PdfFileReader(BytesIO(BASE))
    text = reader.root["/Pages"]["/Kids"][0].raw_get("/Contents").idnum
    size, start = int(reader.trailer["/Size"]), len(BASE)
    forged = b"%d 0 obj\n<</Length 12>>\nstream\n0 0 9 9 re f\nendstream\nendobj\n" % text
    rows = b"".join(struct.pack(">BHB", 1, one, 0) for one in (start, start + len(forged)))
    about = b"<</Type/XRef/Size %d/W[1 2 1]/Index[%d 1 %d 1]/Root %d 0 R/Length 8>>" % (
        size + 1, text, size, reader.root_ref.idnum,
    )  # fmt: skip
    stream = b"%d 0 obj\n%s\nstream\n%s\nendstream\nendobj\n" % (size, about, rows)
    place = b"/XRefStm %d" % (start + len(forged))
    added = revision(BASE + forged + stream, b"0 0\n", place, grown=1)
    shown = PdfFileReader(BytesIO(added)).root["/Pages"]["/Kids"][0]["/Contents"]
    assert shown.data == b"0 0 9 9 re f", "a reader does look there"
    assert judge(added).indication is Indication.INVALID


# --- what the file says of itself -----------------------------------------------------------------

_XMP = (
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-"
    "ns#'><r:Description xmlns:d='http://purl.org/dc/elements/1.1/' {}</r:Description></r:RDF>"
    "</x:xmpmeta>"
)


def element(text: str) -> bytes:
    return _XMP.format(f"><d:title><r:Alt><r:li>{text}</r:li></r:Alt></d:title>").encode()


def attribute(text: str) -> bytes:
    return _XMP.format(f"d:title='{text}'>").encode()


def described(content: bytes, title: str = "", xmp: bytes = b"") -> bytes:
    def change(writer: Writer) -> None:
        if title:
            about = dictionary(Title=words(title), Producer=words("another one"))
            writer.set_info(writer.add_object(about))
        if xmp:
            stream = generic.StreamObject(stream_data=xmp)
            writer.root[name("/Metadata")] = writer.add_object(stream)
            writer.update_root()

    return changed(content, change)


@pytest.mark.parametrize("form", [element, attribute])
def test_a_signed_file_keeps_its_title(form: Callable[[str], bytes]) -> None:
    titled = signed(HERE.tsa, described(pki.page(), "紹介状", form("紹介状")))
    for same in (
        titled,
        described(titled, "紹介状"),
        described(titled, xmp=form("紹介状") + b"\n"),
        described(signed(HERE.tsa, described(pki.page(), "紹介状")), xmp=form("紹介状")),
    ):
        assert problems(judge(same)) == {}
    for other in (
        described(titled, "診断書"),
        described(titled, xmp=form("診断書")),
        described(titled, xmp=_XMP.format(">").encode()),
        described(BASE, xmp=form("診断書")),
    ):
        report = judge(other)
        assert report.indication is Indication.INVALID
        assert DIVIDED in problems(report)["coverage"]
