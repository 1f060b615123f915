"""Section 3 over the wire: exactly at a limit passes, one beyond is refused."""

import pytest

from conformance import messages
from conformance.client import envelope
from tests.hostile.site import Site, is_fault
from tests.hostile.test_text import feed
from tests.hostile.xua import post


def _extra(kind: str, count: int) -> str:
    """A header block that nobody understands, with so much of something."""
    match kind:
        case "attributes":
            return "<x " + " ".join(f'a{n}=""' for n in range(count)) + "/>"
        case "namespaces":
            return "<x " + " ".join(f'xmlns:a{n}="u:{n}"' for n in range(count)) + "/>"
        case "name":
            return f"<{'x' * count}/>"
        case "depth":  # Envelope and Header are two of them
            return "<x>" * (count - 2) + "</x>" * (count - 2)
        case _:
            return "<x/>" * (count - 4)  # Action, MessageID, To and ReplyTo are there


@pytest.mark.parametrize(("kind", "limit"), [
    ("attributes", 256), ("namespaces", 64), ("name", 1024), ("depth", 100), ("blocks", 100),
])  # fmt: skip
def test_of_the_xml(site: Site, kind: str, limit: int) -> None:
    text = envelope(messages.PIX_QUERY, messages.pix_query("2.999.30.1", "0000100001"),
                    to="https://localhost/pix").decode()  # fmt: skip
    client = site.client("hospital-a")
    for count in (limit, limit + 1):
        block = _extra(kind, count) + "</soap:Header>"
        content = text.replace("</soap:Header>", block).encode()
        if count == limit:
            answer = post(client, "/pix", messages.PIX_QUERY, content)
            assert answer.status == 200, kind
            continue
        with site.nothing_left("LIMIT"):
            answer = post(client, "/pix", messages.PIX_QUERY, content)
            related = answer.text("soap:Header/wsa:RelatesTo")
            is_fault(answer, "Sender", status=413, relates_to=related)


def test_of_the_message_as_a_whole(site: Site) -> None:
    text = envelope(messages.PIX_QUERY, messages.pix_query("2.999.30.1", "0000100001"),
                    to="https://localhost/pix")  # fmt: skip
    limit = 20 * 1024 * 1024
    client = site.client("hospital-a")
    remark = b"<!--" + b"x" * (1024 * 1024 - 7) + b"-->"
    full = text + remark * 19
    full += b" " * (limit - len(full))
    assert post(client, "/pix", messages.PIX_QUERY, full).status == 200
    with site.nothing_left("LIMIT"):
        assert post(client, "/pix", messages.PIX_QUERY, full + b" ").status == 413


@pytest.mark.parametrize(("family", "taken"), [
    ("名" * 200, True), ("名" * 201, False),
    ("あ" + "\u0301" * 8, True), ("あ" + "\u0301" * 9, False),
])  # fmt: skip
def test_of_a_name(site: Site, family: str, taken: bool) -> None:
    _, answer = feed(site, family)
    codes = answer.values("//hl7:acknowledgement/hl7:typeCode/@code")
    assert codes == (["CA"] if taken else ["CE"])
