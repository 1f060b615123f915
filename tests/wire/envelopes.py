"""A good SOAP request for the tests of this folder, and ways to spoil it."""

ENV = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
ANONYMOUS = WSA + "/anonymous"
ACTION = "urn:hl7-org:v3:PRPA_IN201309UV02"
MESSAGE_ID = "urn:uuid:86c9d0df-f1fb-4013-b472-d07a01085ffb"
PAYLOAD = '<q xmlns="urn:hl7-org:v3"/>'

HEADERS = {
    "Action": f'<a:Action e:mustUnderstand="true">{ACTION}</a:Action>',
    "MessageID": f"<a:MessageID>{MESSAGE_ID}</a:MessageID>",
    "To": "<a:To>https://localhost/pix</a:To>",
    "ReplyTo": f"<a:ReplyTo><a:Address>{ANONYMOUS}</a:Address></a:ReplyTo>",
}


def envelope(
    *,
    headers: dict[str, str] | None = None,
    extra: str = "",
    body: str = PAYLOAD,
    header_attributes: str = "",
    body_attributes: str = "",
    namespace: str = ENV,
    before: str = "",
    after: str = "",
    **changed: str,
) -> bytes:
    """The good request with `changed` headers; an empty one is left out."""
    blocks = {**(HEADERS if headers is None else headers), **changed}
    return (
        f'{before}<e:Envelope xmlns:e="{namespace}" xmlns:a="{WSA}">'
        f"<e:Header{header_attributes}>{''.join(blocks.values())}{extra}</e:Header>"
        f"<e:Body{body_attributes}>{body}</e:Body>{after}</e:Envelope>"
    ).encode()


def reply_to(address: str, rest: str = "") -> str:
    return f"<a:ReplyTo><a:Address>{address}</a:Address>{rest}</a:ReplyTo>"
