"""ITI-38 Cross Gateway Query: FindDocuments, GetDocuments, and the outcomes of ebRS.

ITI TF-2: 3.38 and 3.18; ITI TF-3: 4.2.
"""

from collections.abc import Callable

from lxml import etree

from conformance import messages
from conformance.case import Case, Group, errors, expect, expect_equal, expect_error, outcome
from conformance.client import NAMESPACES, Answer
from conformance.world import Id, World, fresh_value

_ENTRY = "$XDSDocumentEntry"
_UNIQUE = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_PATIENT = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
_DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
_NEEDED = (
    "hash", "size", "languageCode", "creationTime", "sourcePatientId", "repositoryUniqueId",
)  # fmt: skip
_EMPTY = {
    "FindSubmissionSets": ("f26abbcb-ac74-4422-8a30-edb644bbc1a9", "$XDSSubmissionSet"),
    "FindFolders": ("958f3006-baad-4929-a4de-ff1114824431", "$XDSFolder"),
}


def _find(world: World, patient: Id, **options: str) -> Answer:
    options.setdefault("home", world.home)
    return world.query(messages.find_documents(patient.domain, patient.value, **options))


def entries(answer: Answer) -> list[etree._Element]:
    """The ExtrinsicObjects of an answer."""
    return list(answer.xml().iter(f"{{{NAMESPACES['rim']}}}ExtrinsicObject"))


def _references(answer: Answer) -> list[etree._Element]:
    return list(answer.xml().iter(f"{{{NAMESPACES['rim']}}}ObjectRef"))


def identifier(entry: etree._Element, scheme: str = _UNIQUE) -> str:
    """An external identifier of an entry: its unique id."""
    path = f"rim:ExternalIdentifier[@identificationScheme='{scheme}']"
    found = entry.find(path, NAMESPACES)
    return str(found.get("value")) if found is not None else ""


def slot(entry: etree._Element, name: str) -> str:
    """The value of a slot of an entry."""
    path = f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value"
    return entry.findtext(path, "", NAMESPACES)


def documents(world: World) -> list[etree._Element]:
    """The entries of the patient who has documents, asked for once."""
    if "entries" not in world.kept:
        answer = _find(world, world.shared(world.documented()))
        expect_equal(outcome(answer), "Success", "status")
        world.kept["entries"] = entries(answer)
    found: list[etree._Element] = world.kept["entries"]
    expect(found, "no entry for a patient who has documents")
    return found


def _silent_id(world: World) -> Id:
    """An id in the shared domain of somebody who may not be shown: none exists before consent."""
    known = world.shared(world.shareable())
    withdrawn = [item for item in world.data.patients if item.consent == "withdrawn"]
    for patient in withdrawn:
        found = patient.id_in(known.domain)
        if found is not None:
            return found
    return Id(known.domain, fresh_value())


def find(world: World) -> str:
    """Entries with everything that XDS demands, and `home` on each."""
    patient = world.documented()
    found = documents(world)
    for entry in found:
        expect_equal(entry.get("home"), f"urn:oid:{world.home}", "home")
        for name in _NEEDED:
            expect(slot(entry, name), f"{name} is missing")
        expect(entry.get("mimeType"), "mimeType is missing")
        expect(str(entry.get("status")).endswith(":Approved"), f"status {entry.get('status')}")
        shared = world.shared(patient)
        cx = f"{shared.value}^^^&{shared.domain}&ISO"
        expect_equal(identifier(entry, _PATIENT), cx, "patientId")
    told = {item["unique_id"] for item in patient.documents}
    missing = told - {identifier(entry) for entry in found}
    expect(not missing, f"{len(missing)} of the documents in --data are not found")
    return f"{len(found)} entries"


def described(world: World) -> str:
    """Hash, size and repository are those of the data."""
    told = {item["unique_id"]: item for item in world.documented().documents}
    compared = 0
    for entry in documents(world):
        wanted = told.get(identifier(entry))
        if wanted is None:
            continue
        compared += 1
        expect_equal(slot(entry, "size"), str(wanted["size"]), "size")
        expect_equal(slot(entry, "hash").lower(), str(wanted["hash"]).lower(), "hash")
        expect_equal(slot(entry, "repositoryUniqueId"), wanted["repository_id"], "repository")
    expect(compared, "none of the documents in --data is found")
    return f"{compared} compared"


def references(world: World) -> str:
    """ObjectRef gives the same objects by id, each with `home`."""
    answer = _find(world, world.shared(world.documented()), returns="ObjectRef")
    found = _references(answer)
    expect_equal(entries(answer), [], "entries in an answer of references")
    wanted = {entry.get("id") for entry in documents(world)}
    expect_equal({item.get("id") for item in found}, wanted, "references")
    expect_equal({item.get("home") for item in found}, {f"urn:oid:{world.home}"}, "home")
    return f"{len(found)} references"


def without_home(world: World) -> str:
    """A query for a patient may leave the community out."""
    answer = _find(world, world.shared(world.documented()), home="")
    expect_equal(len(entries(answer)), len(documents(world)), "number of entries")
    return outcome(answer)


def get_by(by: str) -> Callable[[World], str]:
    """GetDocuments by entry UUID or by unique id gives the same entry."""

    def check(world: World) -> str:
        entry = documents(world)[0]
        asked = str(entry.get("id")) if by == "EntryUUID" else identifier(entry)
        answer = world.query(messages.get_documents([asked], home=world.home, by=by))
        expect_equal([item.get("id") for item in entries(answer)], [entry.get("id")], "entries")
        return outcome(answer)

    return check


def nothing(answer: Answer) -> str:
    """Hold Success without any object."""
    expect_equal(outcome(answer), "Success", "status")
    expect_equal(len(entries(answer)) + len(_references(answer)), 0, "number of objects")
    return "Success, empty"


def unknown_patient(world: World) -> str:
    """Nobody: an empty success, or by policy XDSUnknownPatientId."""
    domain = world.shared(world.shareable()).domain
    answer = _find(world, Id(domain, "9" * 16))
    if outcome(answer) == "Success":
        return nothing(answer)
    return expect_error(answer, world.home, "XDSUnknownPatientId")


def denied(world: World) -> str:
    """Somebody who may not be shown reads like nobody."""
    shapes = set()
    domain = world.shared(world.shareable()).domain
    for patient in (_silent_id(world), Id(domain, "9" * 16)):
        answer = _find(world, patient)
        shapes.add((outcome(answer), tuple(errors(answer)), len(list(answer.xml().iter()))))
    expect_equal(len(shapes), 1, "number of different answers")
    return "the same answer"


def get_unknown(world: World) -> str:
    """An entry that does not exist is an empty success."""
    return nothing(world.query(messages.get_documents(["2.999.1.2.3"], home=world.home)))


def deprecated(world: World) -> str:
    """Only deprecated entries are asked for."""
    answer = _find(world, world.shared(world.documented()), statuses=_DEPRECATED)
    wrong = [item for item in entries(answer) if str(item.get("status")) != _DEPRECATED]
    expect_equal(wrong, [], "entries that are not deprecated")
    return outcome(answer)


def filtered(world: World) -> str:
    """A type that no document has finds nothing."""
    shared = world.shared(world.documented())
    return nothing(_query(world, shared, (_ENTRY + "TypeCode", ["('none^^2.999.1')"])))


def in_time(world: World) -> str:
    """A creation time before every document finds nothing; from then on, all."""
    shared = world.shared(world.documented())
    nothing(_query(world, shared, (_ENTRY + "CreationTimeTo", ["19000101"])))
    answer = _query(world, shared, (_ENTRY + "CreationTimeFrom", ["19000101"]))
    expect_equal(len(entries(answer)), len(documents(world)), "number of entries")
    return "empty before, all after"


def unknown_parameter(world: World) -> str:
    """A parameter that nobody knows is ignored."""
    shared = world.shared(world.documented())
    answer = _query(world, shared, ("$XDSUnheardOf", ["'x'"]))
    expect_equal(len(entries(answer)), len(documents(world)), "number of entries")
    return outcome(answer)


def _query(world: World, patient: Id, *more: tuple[str, list[str]], status: bool = True) -> Answer:
    parameters = [(_ENTRY + "PatientId", [f"'{patient.value}^^^&{patient.domain}&ISO'"])]
    if status:
        parameters.append((_ENTRY + "Status", [f"('{messages.APPROVED}')"]))
    payload = messages.stored_query(messages.FIND_DOCUMENTS, [*parameters, *more], home=world.home)
    return world.query(payload)


def _refusing(code: str, ask: Callable[[World], str]) -> Callable[[World], str]:
    """Hold a Failure with one error, at the responding community."""

    def check(world: World) -> str:
        return expect_error(world.query(ask(world)), world.home, code)

    return check


def _patient_id(world: World) -> list[tuple[str, list[str]]]:
    shared = world.shared(world.shareable())
    return [(_ENTRY + "PatientId", [f"'{shared.value}^^^&{shared.domain}&ISO'"])]


def _missing_status(world: World) -> str:
    return messages.stored_query(messages.FIND_DOCUMENTS, _patient_id(world), home=world.home)


def _unquoted(world: World) -> str:
    given = [*_patient_id(world), (_ENTRY + "Status", [messages.APPROVED])]
    return messages.stored_query(messages.FIND_DOCUMENTS, given, home=world.home)


def _both_ids(world: World) -> str:
    given = [(_ENTRY + name, ["('urn:uuid:1')"]) for name in ("EntryUUID", "UniqueId")]
    return messages.stored_query(messages.GET_DOCUMENTS, given, home=world.home)


def _unknown_query(world: World) -> str:
    return messages.stored_query(
        "urn:uuid:00000000-0000-4000-8000-000000000000", _patient_id(world), home=world.home
    )


def _unknown_home(world: World) -> str:
    shared = world.shared(world.shareable())
    return messages.find_documents(shared.domain, shared.value, home="2.999.10.99")


def _missing_home(world: World) -> str:
    return messages.get_documents(["2.999.1.2.3"], home="")


def no_sets(name: str) -> Callable[[World], str]:
    """A query for objects that the community does not keep is a success."""

    def check(world: World) -> str:
        uuid, prefix = _EMPTY[name]
        shared = world.shared(world.shareable())
        given = [
            (prefix + "PatientId", [f"'{shared.value}^^^&{shared.domain}&ISO'"]),
            (prefix + "Status", [f"('{messages.APPROVED}')"]),
        ]
        answer = world.query(messages.stored_query(f"urn:uuid:{uuid}", given, home=world.home))
        expect_equal(outcome(answer), "Success", "status")
        return "Success"

    return check


def _case(number: int, at: str, sends: str, expects: str, check: Callable[[World], str]) -> Case:
    return Case(
        id=f"ITI-38-{number:02}", transaction="ITI-38", section=f"ITI {at}", sends=sends,
        expects=expects, check=check,
    )  # fmt: skip


_FIND, _GET, _ERRORS = "TF-2: 3.18.4.1.2.3.7.1", "TF-2: 3.18.4.1.2.3.7.5", "TF-3: 4.2.4.1"
_XQ = "TF-2: 3.38.4.1.3"

GROUP = Group(
    actor="Responding Gateway (XCA)",
    actor_ja="応答ゲートウェイ（文書の検索と取得）",
    profile="xca",
    cases=(
        _case(1, _XQ, "FindDocuments, LeafClass", "entries with required attributes and home",
              find),
        _case(2, "TF-3: 4.2.3.2", "FindDocuments", "hash, size and repository as in the data",
              described),
        _case(3, _XQ, "FindDocuments, ObjectRef", "the same objects by id, with home", references),
        _case(4, _XQ, "FindDocuments without home", "the same entries", without_home),
        _case(5, _GET, "GetDocuments by entry UUID", "that entry", get_by("EntryUUID")),
        _case(6, _GET, "GetDocuments by unique id", "that entry", get_by("UniqueId")),
        _case(7, _XQ, "FindDocuments for nobody", "empty Success, or XDSUnknownPatientId",
              unknown_patient),
        _case(8, _XQ, "FindDocuments for somebody who may not be shown, and for nobody",
              "the same answer", denied),
        _case(9, _GET, "GetDocuments of an unknown id", "empty Success", get_unknown),
        _case(10, _FIND, "FindDocuments, status Deprecated", "no other entries", deprecated),
        _case(11, _FIND, "FindDocuments with a type nobody uses", "empty Success", filtered),
        _case(12, _FIND, "FindDocuments with creation times", "bounds are applied", in_time),
        _case(13, "TF-2: 3.18.4.1.2.3.6", "an unknown parameter", "ignored", unknown_parameter),
        _case(14, _ERRORS, "FindDocuments without status", "XDSStoredQueryMissingParam",
              _refusing("XDSStoredQueryMissingParam", _missing_status)),
        _case(15, _ERRORS, "GetDocuments with both ids", "XDSStoredQueryParamNumber",
              _refusing("XDSStoredQueryParamNumber", _both_ids)),
        _case(16, _ERRORS, "a status without quotes", "XDSRegistryError",
              _refusing("XDSRegistryError", _unquoted)),
        _case(17, _ERRORS, "an unknown stored query", "XDSUnknownStoredQuery",
              _refusing("XDSUnknownStoredQuery", _unknown_query)),
        _case(18, _ERRORS, "another community's home", "XDSUnknownCommunity",
              _refusing("XDSUnknownCommunity", _unknown_home)),
        _case(19, _ERRORS, "GetDocuments without home", "XDSMissingHomeCommunityId",
              _refusing("XDSMissingHomeCommunityId", _missing_home)),
        _case(20, "TF-2: 3.38.4.1.2", "FindSubmissionSets", "Success",
              no_sets("FindSubmissionSets")),
        _case(21, "TF-2: 3.38.4.1.2", "FindFolders", "Success", no_sets("FindFolders")),
    ),
)  # fmt: skip
