"""A plain client: HTTPS with a client certificate, SOAP 1.2 with WS-Addressing, MTOM answers.

It shares no code with any gateway; the demo and the tests use it as the foreign side.
"""

import email.message
import email.parser
import http.client
import re
import ssl
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from lxml import etree

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
ANONYMOUS = WSA + "/anonymous"
XOP = "http://www.w3.org/2004/08/xop/include"
NAMESPACES = {
    "soap": SOAP,
    "wsa": WSA,
    "wsse": WSSE,
    "hl7": "urn:hl7-org:v3",
    "query": "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0",
    "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "rs": "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0",
    "xds": "urn:ihe:iti:xds-b:2007",
    "xop": XOP,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    "Lower-case names."
    body: bytes
    ms: float
    parts: Mapping[str, bytes] = field(default_factory=dict)
    "Attachments by Content-ID, without angle brackets."
    part_types: Mapping[str, str] = field(default_factory=dict)
    "Media type of each attachment."

    def xml(self) -> etree._Element:
        """The answer's root element; raises `etree.XMLSyntaxError` where it is not XML."""
        return etree.fromstring(self.body, _parser())

    def payload(self) -> etree._Element | None:
        """The child of the SOAP Body, if there is one."""
        return self.xml().find("soap:Body/*", NAMESPACES)

    def text(self, path: str) -> str:
        """Text at `path`, or the empty string."""
        return self.xml().findtext(path, "", NAMESPACES).strip()

    def values(self, path: str) -> list[str]:
        """Every string that the XPath gives."""
        found = self.xml().xpath(path, namespaces=NAMESPACES)
        return [str(value) for value in found] if isinstance(found, list) else [str(found)]

    @property
    def fault(self) -> tuple[str, ...]:
        """The fault's code and subcodes as local names, or () where it is no fault."""
        try:
            root = self.xml()
        except etree.XMLSyntaxError:
            return ()
        found = root.xpath("//soap:Fault/soap:Code//soap:Value/text()", namespaces=NAMESPACES)
        values = found if isinstance(found, list) else []
        return tuple(str(value).strip().rpartition(":")[2] for value in values)


class Client:
    """One keep-alive connection to one gateway, as one machine."""

    def __init__(
        self,
        target: str,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        authority: Path,
        timeout: float = 60.0,
    ) -> None:
        parts = urlsplit(target)
        self.target = target.rstrip("/")
        self._host = parts.hostname or "localhost"
        self._port = parts.port or 443
        self._timeout = timeout
        self._context = ssl.create_default_context(cafile=str(authority))
        if certificate is not None:
            self._context.load_cert_chain(certificate, key)
        self._connection: http.client.HTTPSConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One HTTP request; reconnects once where an idle connection was closed."""
        begun = time.perf_counter()
        fresh = self._connection is None
        try:
            answer = self._send(method, path, body, headers or {})
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            self.close()
            if fresh or not isinstance(body, bytes | None):
                raise
            answer = self._again(method, path, body, headers or {})
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        status, found, content = answer
        return self._answered(status, found, content, (time.perf_counter() - begun) * 1000)

    def _again(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """The same on a fresh connection, which is closed where that fails too."""
        try:
            return self._send(method, path, body, headers)
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
    ) -> tuple[int, dict[str, str], bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._context
            )
        self._connection.request(method, path, body, dict(headers))
        response = self._connection.getresponse()
        content = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close:
            self.close()
        return response.status, found, content

    def _answered(self, status: int, headers: dict[str, str], content: bytes, ms: float) -> Answer:
        kind = headers.get("content-type", "")
        if not kind.lower().startswith("multipart/related"):
            return Answer(status, headers, content, ms)
        root, parts, types = read_multipart(kind, content)
        return Answer(status, headers, root, ms, parts, types)

    def soap(
        self,
        path: str,
        action: str,
        payload: str,
        *,
        assertion: bytes | None = None,
        mtom: bool = False,
        message_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one SOAP request as a careful partner would."""
        content = envelope(
            action, payload, to=self.target + path, assertion=assertion, message_id=message_id
        )
        kind = f'application/soap+xml; charset=UTF-8; action="{action}"'
        if mtom:
            kind, content = multipart(content)
        return self.request("POST", path, content, {"Content-Type": kind, **(headers or {})})


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def envelope(
    action: str,
    payload: str,
    *,
    to: str,
    assertion: bytes | None = None,
    message_id: str | None = None,
    reply_to: str = ANONYMOUS,
) -> bytes:
    """A SOAP 1.2 envelope; the assertion's bytes are put in unchanged (FN-1001)."""
    security = b""
    if assertion is not None:
        security = (
            f'<wsse:Security xmlns:wsse="{WSSE}" soap:mustUnderstand="true">'.encode()
            + assertion
            + b"</wsse:Security>"
        )
    head = (
        f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:wsa="{WSA}"><soap:Header>'
        f'<wsa:Action soap:mustUnderstand="true">{escape(action)}</wsa:Action>'
        f"<wsa:MessageID>{escape(message_id or new_message_id())}</wsa:MessageID>"
        f"<wsa:To>{escape(to)}</wsa:To>"
        f"<wsa:ReplyTo><wsa:Address>{escape(reply_to)}</wsa:Address></wsa:ReplyTo>"
    )
    return (
        head.encode()
        + security
        + f"</soap:Header><soap:Body>{payload}</soap:Body></soap:Envelope>".encode()
    )


def new_message_id() -> str:
    """A fresh message id."""
    return f"urn:uuid:{uuid.uuid4()}"


def multipart(
    root: bytes, parts: Mapping[str, tuple[str, bytes]] | None = None
) -> tuple[str, bytes]:
    """An MTOM message: its Content-Type and its bytes. `parts`: Content-ID to (type, bytes)."""
    boundary = f"uuid:{uuid.uuid4()}"
    lines = [
        f"--{boundary}\r\nContent-Type: application/xop+xml; charset=UTF-8; "
        'type="application/soap+xml"\r\nContent-Transfer-Encoding: binary\r\n'
        "Content-ID: <root@client.invalid>\r\n\r\n".encode()
        + root
    ]
    for content_id, (kind, content) in (parts or {}).items():
        lines.append(
            f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-ID: <{content_id}>\r\n\r\n".encode()
            + content
        )
    body = b"\r\n".join(lines) + f"\r\n--{boundary}--\r\n".encode()
    kind = (
        f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; '
        'start="<root@client.invalid>"; start-info="application/soap+xml"'
    )
    return kind, body


def read_multipart(kind: str, content: bytes) -> tuple[bytes, dict[str, bytes], dict[str, str]]:
    """Root part, attachments and their types; raises ValueError where the framing is wrong."""
    header = email.message.Message()
    header["Content-Type"] = kind
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not 0 < len(boundary) <= 70:
        raise ValueError("no usable boundary")
    pieces = re.split(
        rb"(?:^|\r\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?:\r\n|$)", content
    )
    if len(pieces) < 4 or pieces[-2] != b"--":
        raise ValueError("the closing boundary is missing")
    found: list[tuple[str, str, bytes]] = []
    for piece in pieces[2:-2:2]:
        head, gap, body = piece.partition(b"\r\n\r\n")
        if not gap:
            raise ValueError("a part without a header")
        fields = email.parser.BytesHeaderParser().parsebytes(head)
        content_id = str(fields.get("Content-ID", "")).strip().removeprefix("<").removesuffix(">")
        found.append((content_id, fields.get_content_type(), body))
    start = header.get_param("start")
    root_id = str(start).strip("<>") if start else found[0][0]
    root = next((body for name, _, body in found if name == root_id), None)
    if root is None:
        raise ValueError("the root part is missing")
    rest = [part for part in found if part[0] != root_id]
    return root, {n: b for n, _, b in rest}, {n: t for n, t, _ in rest}


def included(document: etree._Element, answer: Answer) -> bytes | None:
    """The bytes of one `Document` element: its XOP part or its base64 text (FN-701, FN-702)."""
    import base64

    include = document.find("xop:Include", NAMESPACES)
    if include is None:
        return base64.b64decode(document.text or "")
    return answer.parts.get(unquote(str(include.get("href", ""))).removeprefix("cid:"))
