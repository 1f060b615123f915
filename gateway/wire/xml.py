"""The one entry of XML, and the ways out: hardened parser, exact questions, escaping templates.

`security.md` A-01 to A-09: no DOCTYPE, no processing instruction, no fetching, UTF-8 or UTF-16
with byte order mark, and a limit on everything. Nothing else in the gateway makes a parser.
"""

import re
import threading
from collections.abc import Iterable
from functools import cache

from lxml import etree

from gateway.errors import Malformed, OverLimit
from gateway.wire.limits import DEFAULT, Limits

NAMESPACES = {
    "env": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xop": "http://www.w3.org/2004/08/xop/include",
    "hl7": "urn:hl7-org:v3",
    "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "rs": "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0",
    "query": "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0",
    "lcm": "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0",
    "xds": "urn:ihe:iti:xds-b:2007",
    "xcpd": "urn:ihe:iti:xcpd:2009",
}
"The prefixes of this gateway's paths."
LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_LOCAL = threading.local()
_DECLARATION = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:\"1\.0\"|'1\.0')"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*[\"']([A-Za-z0-9._-]{1,40})[\"'])?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*[\"'](?:yes|no)[\"'])?[ \t\r\n]*\?>"
)
_PREFIX = re.compile(r"(?<![\w{}:])([a-z][a-z0-9]*):(?=[A-Za-z_*])")
_STRING = etree.XPath("string()")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_UNSAFE = re.compile('[&<>"\x00-\x1f\ufffe\uffff\ud800-\udfff]')
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_PARSER_LIMITS = frozenset({110, 114})
"libxml2's own limits, name length and depth or size: they are reached before ours are counted."
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)


def parse(
    content: bytes, *, limits: Limits | None = None, charset: str | None = None
) -> etree._Element:
    """Read one document (A-01 to A-05, G2).

    `charset` is what the transport said; it must not contradict the document.
    """
    limits = limits or DEFAULT
    if len(content) > limits.xml_bytes:
        raise _over("message too large")
    content = _as_utf8(content, charset)
    _refuse_prolog(content)
    tags = content.count(b"<") if len(content) > limits.elements else 0
    if tags > limits.elements and tags - content.count(b"</") > limits.elements:
        raise _over("too many elements")
    try:
        root = etree.fromstring(content, _parser())
    except etree.XMLSyntaxError as error:
        if error.code in _PARSER_LIMITS:
            raise _over("beyond what the parser takes") from error
        raise Malformed("not well-formed XML", "XML として読めません", log="XML-SOAP") from error
    if b"<!DOCTYPE" in content and root.getroottree().docinfo.internalDTD is not None:
        raise _doctype()
    if b"<?" in content and _has_instruction(root):
        raise _instruction()
    _check_shape(root, content, limits)
    return root


def parse_own(content: bytes) -> etree._Element:
    """Read what this gateway wrote itself, with the same parser: its limits are for others."""
    return etree.fromstring(content, _parser())


def _parser() -> etree.XMLParser:
    """The parser of this thread: one shared by threads is slower than a single thread."""
    parser: etree.XMLParser | None = getattr(_LOCAL, "parser", None)
    if parser is None:
        parser = etree.XMLParser(
            encoding="utf-8",  # never guessed: UTF-16 without its mark would pass every check here
            resolve_entities=False,
            no_network=True,
            huge_tree=False,
            load_dtd=False,
            dtd_validation=False,
            attribute_defaults=False,
            collect_ids=False,
            strip_cdata=False,
        )
        _LOCAL.parser = parser
    return parser


def _as_utf8(content: bytes, charset: str | None) -> bytes:
    """UTF-8 without declaration; other encodings and contradictions are refused (A-05)."""
    said = (charset or "").lower()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        if said not in ("", "utf-16") or content[:4] == b"\xff\xfe\x00\x00":
            raise _encoding()
        try:
            content = content.decode("utf-16").encode("utf-8")
        except UnicodeError as error:
            raise _encoding() from error
        allowed = b"utf-16"
    else:
        if said not in ("", "utf-8"):
            raise _encoding()
        content = content.removeprefix(b"\xef\xbb\xbf")
        allowed = b"utf-8"
    if not content.startswith((b"<?xml ", b"<?xml\t", b"<?xml\r", b"<?xml\n")):
        return content
    found = _DECLARATION.match(content)
    if found is None or (found[1] is not None and found[1].lower() != allowed):
        raise _encoding()
    return content[found.end() :]


def _refuse_prolog(content: bytes) -> None:
    """Refuse a DOCTYPE before anything in it is looked at (A-01, A-02)."""
    place = 0
    while True:
        while content[place : place + 1] in (b" ", b"\t", b"\r", b"\n"):
            place += 1
        if content.startswith(b"<!DOCTYPE", place):
            raise _doctype()
        if content.startswith(b"<?", place):
            raise _instruction()
        if not content.startswith(b"<!--", place):
            return
        end = content.find(b"-->", place + 4)
        if end < 0:
            return
        place = end + 3


def _has_instruction(root: etree._Element) -> bool:
    """Whether a processing instruction stands inside or after the root (A-03)."""
    inside = next(root.iter(etree.ProcessingInstruction), None)
    after = (node for node in root.itersiblings() if isinstance(node, etree._ProcessingInstruction))
    return inside is not None or next(after, None) is not None


@cache
def _test(path: str) -> etree.XPath:
    """A compiled yes-or-no question; every path is a constant of this module (G10)."""
    return etree.XPath(f"boolean({path})")


def _check_shape(root: etree._Element, content: bytes, limits: Limits) -> None:
    """Depth, attributes, namespaces and names (A-04); exact only where a count allows a breach."""
    if content.count(b"</") >= limits.depth and _test("/*" * (limits.depth + 1))(root):
        raise _over("nested too deep")
    if content.count(b"=") > limits.attributes and _test(f"//*[@*[{limits.attributes + 1}]]")(root):
        raise _over("too many attributes")
    if content.count(b"xmlns") > limits.namespaces:
        _check_namespaces(root, limits.namespaces)
    if len(content) > limits.name and max(map(len, content.split(b"<"))) > limits.name:
        long = f"string-length(name()) > {limits.name}"
        if _test(f"//*[{long} or @*[{long}]]")(root):
            raise _over("name too long")


def _check_namespaces(root: etree._Element, most: int) -> None:
    """Count the declarations before each element's start."""
    declared = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "start")):
        declared = declared + 1 if event == "start-ns" else 0
        if declared > most:
            raise _over("too many namespace declarations")


def _over(reason: str) -> OverLimit:
    return OverLimit(reason, "電文が制限を超えています", rule="A-04", log="LIMIT")


def _doctype() -> Malformed:
    return Malformed("DOCTYPE is not allowed", "DOCTYPE は使えません", rule="A-01", log="XML-DTD")


def _instruction() -> Malformed:
    return Malformed(
        "processing instruction is not allowed", "処理命令は使えません", rule="A-03", log="XML-PI"
    )


def _encoding() -> Malformed:
    return Malformed(
        "encoding is not UTF-8, or UTF-16 with byte order mark",
        "文字コードは UTF-8、またはバイト順マーク付き UTF-16 に限ります",
        rule="A-05",
        log="XML-ENC",
    )


@cache
def clark(path: str) -> str:
    """`hl7:id/hl7:value` with the prefixes of `NAMESPACES` written out, as lxml wants it."""
    return _PREFIX.sub(lambda found: f"{{{NAMESPACES[found[1]]}}}", path)


@cache
def _steps(path: str) -> tuple[str, ...]:
    """The Clark names along a path of child elements; nothing else is a path here."""
    return tuple(clark(step) for step in path.split("/"))


def many(parent: etree._Element, path: str) -> list[etree._Element]:
    """Every element at `path` (child steps, `a/b/c`), in document order."""
    found = [parent]
    for step in _steps(path):
        found = [child for node in found for child in node.iterchildren(step)]
    return found


def one(parent: etree._Element, path: str) -> etree._Element:
    """The one element at `path`; none or several is `Malformed`, and the path is named."""
    found = many(parent, path)
    if len(found) != 1:
        word = "missing" if not found else "more than once"
        japanese = "がありません" if not found else "が複数あります"
        raise Malformed(f"{path} {word}", f"{path} {japanese}", at=path)
    return found[0]


def maybe(parent: etree._Element, path: str) -> etree._Element | None:
    """The element at `path` or None; several is `Malformed`."""
    found = many(parent, path)
    if len(found) > 1:
        raise Malformed(f"{path} more than once", f"{path} が複数あります", at=path)
    return found[0] if found else None


def attribute(element: etree._Element, name: str) -> str:
    """The attribute's value; absent is `Malformed`. `name` may carry a prefix."""
    value = element.get(clark(name))
    if value is None:
        at = f"{etree.QName(element).localname}/@{name}"
        raise Malformed(f"{at} missing", f"{at} がありません", at=at)
    return value


def text(element: etree._Element) -> str:
    """The text of an identifier or code, exactly as it stands.

    Child elements, comments and processing instructions inside are refused (A-07, B-08): who
    reads only the text before a comment reads something else than what was signed.
    """
    if len(element):
        at = etree.QName(element).localname
        raise Malformed(f"{at} is not plain text", f"{at} は文字列のみ", at=at, log="XML-MIXED")
    return element.text or ""


def whole_text(element: etree._Element) -> str:
    """All text of a free-text element: comments left out, CDATA and text joined (A-07)."""
    return str(_STRING(element))


def children(element: etree._Element) -> list[etree._Element]:
    """Child elements, without comments."""
    return [child for child in element if isinstance(child.tag, str)]


def location(element: etree._Element) -> str:
    """Where `element` stands in its payload: an XPath of local names, indexed from 1.

    Starts at the payload element: what is a child of a SOAP Body, or the root.
    """
    steps: list[str] = []
    node: etree._Element | None = element
    body = clark("env:Body")
    while node is not None and node.tag != body:
        name = etree.QName(node).localname
        tag = str(node.tag)
        before = len(list(node.itersiblings(tag, preceding=True)))
        alone = before == 0 and next(node.itersiblings(tag), None) is None
        steps.append(name if alone else f"{name}[{before + 1}]")
        node = node.getparent()
    return "/" + "/".join(reversed(steps))


def serialize(element: etree._Element) -> bytes:
    """The element as UTF-8 without declaration, with every namespace it needs."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False)


class Fragment(str):
    """Serialized XML that this module made: a `Template` takes it as it is."""

    __slots__ = ()


EMPTY = Fragment("")
"Nothing, as XML."


def fragment(element: etree._Element) -> Fragment:
    """An element of a parsed message, copied verbatim for an answer."""
    return Fragment(etree.tostring(element, encoding="unicode", with_tail=False))


def join(fragments: Iterable[Fragment]) -> Fragment:
    """Fragments one after the other."""
    return Fragment("".join(fragments))


def escape(value: str) -> str:
    """`value` for an attribute or text; characters that XML cannot carry become U+FFFD."""
    if _UNSAFE.search(value) is None:
        return value
    return _ILLEGAL.sub("\ufffd", value).translate(_ESCAPES)


class Template:
    """A piece of XML with `{name}` places, compiled once; every value is escaped by it.

    A `Fragment` is put in as it is, so nothing but this module's own XML escapes escaping.
    """

    __slots__ = ("_names", "_pattern", "_places")

    def __init__(self, source: str) -> None:
        source = re.sub(r"(?<=[>}])\n\s*", "", source)
        source = re.sub(r"\s*\n\s*", " ", source)
        self._places = tuple(_PLACEHOLDER.findall(source))
        self._names = frozenset(self._places)
        self._pattern = _PLACEHOLDER.sub("%s", source.replace("%", "%%"))

    def fill(self, **values: str) -> Fragment:
        """The XML with every place filled; a missing or unknown name is a defect."""
        if values.keys() != self._names:
            raise KeyError(f"template wants {sorted(self._names)}, got {sorted(values)}")
        for name, value in values.items():
            if type(value) is not Fragment and _UNSAFE.search(value) is not None:
                values[name] = escape(value)
        return Fragment(self._pattern % tuple(map(values.__getitem__, self._places)))
