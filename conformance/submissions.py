"""ITI-41 requests as a careful document source writes them (ITI TF-2: 3.41, ITI TF-3: 4.2)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from conformance.client import envelope, multipart

PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
LOINC = "2.16.840.1.113883.6.1"
STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
_OBJECT = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
_SCHEMES = {
    "author": "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "class": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "confidentiality": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "event": "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
    "facility": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "format": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "setting": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "type": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
}
_CODES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "class": (("34133-9", LOINC, "診療経過要約"),),
    "confidentiality": (("N", "2.16.840.1.113883.5.25", "normal"),),
    "event": (),
    "facility": (("22232009", "2.16.840.1.113883.6.96", "Hospital"),),
    "format": (
        ("urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "sufficient"),
    ),
    "setting": (("394802001", "2.16.840.1.113883.6.96", "General medicine"),),
    "type": (("34133-9", LOINC, "診療経過要約"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One document as a source describes it."""

    patient: str
    "CX: `id^^^&oid&ISO`, of the source and of the exchange alike."
    id: str = "Document01"
    unique_id: str = ""
    content: str = ""
    "What stands in `Document`: base64, or an `xop:Include`."
    title: str = "退院時サマリー"
    language: str = "ja-JP"
    mime_type: str = "text/xml"
    created: str = "20261101010000"
    codes: Mapping[str, tuple[tuple[str, str, str], ...]] = field(default_factory=dict)
    "Of a code's name (`class`, `type` …) all of its codes; the others are as in `_CODES`."
    author: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {
            "authorInstitution": ("見本病院^^^^^^^^^2.999.50.1",),
            "authorPerson": ("12^山田^太郎^^^^^^&2.999.60.1&ISO",),
            "authorRole": ("医師",),
        }
    )
    slots: Mapping[str, Sequence[str]] = field(default_factory=dict)
    comments: str = ""
    replaces: Sequence[str] = ()


def new_oid() -> str:
    """A unique id."""
    return f"2.25.{uuid.uuid4().int}"


def include(content_id: str) -> str:
    """A reference to a part."""
    href = quoteattr(f"cid:{content_id}")
    return f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href={href}/>'


def provide(
    documents: Sequence[Given], *, patient: str = "", extra: str = "", unique_id: str = ""
) -> str:
    """`ProvideAndRegisterDocumentSetRequest`; `extra` stands at the end of the object list."""
    about = patient or documents[0].patient
    entries = "".join(map(_entry, documents))
    members = [("SubmissionSet01", HAS_MEMBER, one.id) for one in documents]
    relations = [(one.id, REPLACES, old) for one in documents for old in one.replaces]
    associations = "".join(
        _association(f"as{place}", *one) for place, one in enumerate((*members, *relations), 1)
    )
    bodies = "".join(
        f"<xds:Document id={quoteattr(one.id)}>{one.content}</xds:Document>" for one in documents
    )
    return (
        '<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007"'
        ' xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"'
        ' xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"><lcm:SubmitObjectsRequest>'
        f"<RegistryObjectList>{entries}{_submission_set(about, unique_id or new_oid())}"
        f"{associations}{extra}</RegistryObjectList></lcm:SubmitObjectsRequest>{bodies}"
        "</xds:ProvideAndRegisterDocumentSetRequest>"
    )


def provided(
    documents: Sequence[Given],
    parts: Mapping[str, tuple[str, bytes]] | None = None,
    *,
    to: str = "https://gateway.invalid/repository",
    message: str = "",
    **options: str,
) -> tuple[str, bytes]:
    """The whole MTOM message: its Content-Type and its bytes; `parts` as in `client.multipart`."""
    root = envelope(PROVIDE, provide(documents, **options), to=to, message_id=message or None)
    return multipart(root, parts)


def _entry(given: Given) -> str:
    slots = {
        "creationTime": (given.created,),
        "languageCode": (given.language,),
        "sourcePatientId": (given.patient,),
        **given.slots,
    }
    described = f"<Description>{_text(given.comments)}</Description>" if given.comments else ""
    codes = "".join(
        _classification(given.id, name, code, f"{name}{place}")
        for name, codes in {**_CODES, **given.codes}.items()
        for place, code in enumerate(codes)
    )
    author = _classified(given.id, "author", "", "author0", _slots(given.author), "")
    unique_id = given.unique_id or new_oid()
    return (
        f"<ExtrinsicObject id={quoteattr(given.id)} mimeType={quoteattr(given.mime_type)}"
        f' objectType="{STABLE}">{_slots(slots)}<Name>{_text(given.title)}</Name>{described}'
        f"{author if given.author else ''}{codes}"
        + _identifier(given.id, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", given.patient)
        + _identifier(given.id, "2e82c1f6-a085-4c72-9da3-8640a32e42ab", unique_id)
        + "</ExtrinsicObject>"
    )


def _submission_set(patient: str, unique_id: str) -> str:
    id = "SubmissionSet01"
    content_type = (
        '<Classification classificationScheme="urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"'
        f' classifiedObject="{id}" id="ct01" nodeRepresentation="34133-9"'
        f' objectType="{_OBJECT}Classification">{_slots({"codingScheme": (LOINC,)})}'
        f"<Name>{_text('診療経過要約')}</Name></Classification>"
    )
    return (
        f'<RegistryPackage id="{id}">{_slots({"submissionTime": ("20261101020000",)})}'
        f"<Name>{_text('登録')}</Name>{content_type}"
        + _identifier(id, "96fdda7c-d067-4183-912e-bf5ee74998a8", unique_id)
        + _identifier(id, "554ac39e-e3fe-47fe-b233-965d2a147832", "2.999.50.1")
        + _identifier(id, "6b5aea1a-874d-4603-a4bc-96a0a7b38446", patient)
        + f'</RegistryPackage><Classification id="cl01" classifiedObject="{id}"'
        ' classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"'
        f' objectType="{_OBJECT}Classification"/>'
    )


def _association(id: str, source: str, kind: str, target: str) -> str:
    original = {"SubmissionSetStatus": ("Original",)} if kind == HAS_MEMBER else {}
    return (
        f'<Association id="{id}" associationType="{kind}" objectType="{_OBJECT}Association"'
        f" sourceObject={quoteattr(source)} targetObject={quoteattr(target)}>{_slots(original)}"
        "</Association>"
    )


def _classification(entry: str, name: str, code: tuple[str, str, str], id: str) -> str:
    value, system, display = code
    inside = _slots({"codingScheme": (system,)})
    return _classified(entry, name, value, id, inside, f"<Name>{_text(display)}</Name>")


def _classified(entry: str, name: str, code: str, id: str, slots: str, shown: str) -> str:
    return (
        f'<Classification classificationScheme="{_SCHEMES[name]}" id={quoteattr(f"{entry}-{id}")}'
        f" classifiedObject={quoteattr(entry)} nodeRepresentation={quoteattr(code)}"
        f' objectType="{_OBJECT}Classification">{slots}{shown}</Classification>'
    )


def _identifier(owner: str, scheme: str, value: str) -> str:
    return (
        f"<ExternalIdentifier id={quoteattr(f'{owner}-{scheme[:4]}')}"
        f' registryObject={quoteattr(owner)} identificationScheme="urn:uuid:{scheme}"'
        f' value={quoteattr(value)} objectType="{_OBJECT}ExternalIdentifier">'
        f"<Name>{_text('id')}</Name></ExternalIdentifier>"
    )


def _slots(slots: Mapping[str, Sequence[str]]) -> str:
    return "".join(
        f"<Slot name={quoteattr(name)}><ValueList>"
        + "".join(f"<Value>{escape(value)}</Value>" for value in values)
        + "</ValueList></Slot>"
        for name, values in slots.items()
    )


def _text(text: str) -> str:
    return f'<LocalizedString xml:lang="ja-JP" charset="UTF-8" value={quoteattr(text)}/>'
