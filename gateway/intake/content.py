"""Whether a document's bytes are what its media type says, and of a kind that is taken (E-12).

Looked at before anything is kept; what is inside of an envelope, once it is known to be signed.
"""

import json

import orjson

from gateway import standardize
from gateway.errors import Invalid, Malformed
from gateway.intake.envelopes import is_envelope
from gateway.intake.uploads import Arrival, overlapping
from gateway.wire import xml
from gateway.wire.limits import DEFAULT

HEAD = 1024
"Bytes from which the kind of a file is told."
_PDF_BYTES = 100 * 1024 * 1024
_PDF = "application/pdf"
_XML = frozenset({"application/xml", "text/xml"})
_JSON = frozenset({"application/json", "application/fhir+json"})


def look(mime_type: str, arrival: Arrival) -> None:
    """Refuse what is harmful (E-14), or not of its media type; raises `Invalid`."""
    with arrival.reader() as stream:
        for piece in overlapping(stream):
            standardize.refuse_harmful(piece)
        size = stream.tell()
        stream.seek(0)
        if is_envelope(stream.read(HEAD)):
            return  # what is inside is judged once it is known to be signed
        stream.seek(0)
        if mime_type == _PDF:
            require(stream.read(HEAD).startswith(b"%PDF-") and size <= _PDF_BYTES)
        elif mime_type in _XML:
            require(_is_xml(stream.read(DEFAULT.xml_bytes + 1)))
        elif mime_type in _JSON:
            require(_is_json(stream.read()))
        else:
            require(False)


def require(is_so: bool) -> None:
    """The content is what its media type says, and of a kind that is taken (E-12)."""
    if not is_so:
        raise Invalid(
            "the content is not of the stated media type, or of none that is taken",
            "内容が mime_type と異なるか、対応していない種類です",
            at="content", rule="E-12", log="TYPE",
        )  # fmt: skip


def fits(mime_type: str, content: bytes) -> bool:
    """Whether bytes that are in memory are what a media type says."""
    if mime_type == _PDF:
        return content.startswith(b"%PDF-") and len(content) <= _PDF_BYTES
    if mime_type in _XML:
        return _is_xml(content)
    return mime_type in _JSON and _is_json(content)


def _is_xml(content: bytes) -> bool:
    try:
        root = xml.parse(content)
    except Malformed:
        return False
    return "html" not in str(root.tag).lower() and "svg" not in str(root.tag).lower()


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(orjson.loads(content), dict)
    except json.JSONDecodeError:
        return False
