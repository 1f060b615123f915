"""Submission sets, folders and associations: what holds the entries of a submission together.

ITI TF-3: 4.2.1, 4.2.2 and 4.2.3.3. Pure. Of these only replacement changes the record; what else
they say is not kept, and the source is warned of it (ITI TF-3: 4.2.4.1).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lxml import etree

from gateway.errors import Invalid
from gateway.model.identifiers import PatientId
from gateway.wire import ebxml, xml
from gateway.wire.ebxml import RegistryError
from gateway.xca import metadata

_SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_FOLDER = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
_NODES = frozenset({_SUBMISSION_SET, _FOLDER})
_IDENTIFIERS = {
    _SUBMISSION_SET: {
        "patientId": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
        "uniqueId": "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
    },
    _FOLDER: {
        "patientId": "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
        "uniqueId": "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a",
    },
}
"""Schemes of the external identifiers that each must have; a sourceId, which no answer of ours
shows, is not asked for: the sources of a national record leave it out."""

_EBXML = "urn:oasis:names:tc:ebxml-regrep:AssociationType:"
_IHE = "urn:ihe:iti:2007:AssociationType:"
HAS_MEMBER = _EBXML + "HasMember"
REPLACES = _IHE + "RPLC"
_TRANSFORMS_AND_REPLACES = _IHE + "XFRM_RPLC"
_NOT_KEPT = {
    _IHE + "APND": "PartialAppendContentNotProcessed",
    _IHE + "XFRM": "PartialTransformNotProcessed",
    _TRANSFORMS_AND_REPLACES: "PartialTransformNotProcessed",
    _IHE + "signs": "PartialRelationshipContentNotProcessed",
    _IHE + "IsSnapshotOf": "PartialRelationshipContentNotProcessed",
}
"Relations of documents whose meaning is not kept, with the warning that says so."
_OBJECTS = frozenset(
    xml.clark(f"rim:{name}")
    for name in ("ExtrinsicObject", "RegistryPackage", "Classification", "Association", "ObjectRef")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A submission set or a folder."""

    id: str
    unique_id: str
    patient: PatientId


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """One object's relation to another."""

    id: str
    kind: str
    source: str
    target: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What stands beside the entries."""

    submission_set: Package
    folders: tuple[Package, ...]
    associations: tuple[Association, ...]


def read(listed: etree._Element) -> Objects:
    """Read what stands beside the entries of a `rim:RegistryObjectList`; raises `Invalid`."""
    if any(child.tag not in _OBJECTS for child in xml.children(listed)):
        raise refused("XDSRegistryMetadataError", "an object that a submission does not hold",
                      "送信できないオブジェクトがあります", at="RegistryObjectList")  # fmt: skip
    found = xml.many(listed, "rim:RegistryPackage")
    nodes = _nodes(listed, found)
    kinds = [
        (package, nodes.get(xml.attribute(package, "id"), set()) & _NODES) for package in found
    ]
    if any(len(kind) != 1 for _, kind in kinds):
        raise refused("XDSRegistryMetadataError", "a package is a submission set or a folder",
                      "パッケージの種別が違います", at="RegistryPackage")  # fmt: skip
    sets = [_package(one, _SUBMISSION_SET) for one, kind in kinds if _SUBMISSION_SET in kind]
    if len(sets) != 1:
        raise refused("XDSRegistryMetadataError", "a submission has one submission set",
                      "サブミッションセットは一つです", at="RegistryPackage")  # fmt: skip
    submission_set = next(one for one, kind in kinds if _SUBMISSION_SET in kind)
    for moment in ebxml.slots(submission_set).get("submissionTime", [""]):
        ebxml.read_time(moment, at="SubmissionSet/submissionTime")
    return Objects(
        submission_set=sets[0],
        folders=tuple(_package(one, _FOLDER) for one, kind in kinds if _FOLDER in kind),
        associations=tuple(
            _association(one, f"Association[{place}]")
            for place, one in enumerate(xml.many(listed, "rim:Association"), 1)
        ),
    )


def _nodes(listed: etree._Element, found: Iterable[etree._Element]) -> dict[str, set[str]]:
    """What each package is classified as, wherever that stands."""
    nodes: dict[str, set[str]] = defaultdict(set)
    inside = [one for package in found for one in xml.many(package, "rim:Classification")]
    for one in (*xml.many(listed, "rim:Classification"), *inside):
        node = one.get("classificationNode", "")
        if node:
            nodes[one.get("classifiedObject", "")].add(node)
    return nodes


def _package(element: etree._Element, kind: str) -> Package:
    word = "SubmissionSet" if kind == _SUBMISSION_SET else "Folder"
    identifiers = metadata.read_identifiers(element)
    for name, scheme in _IDENTIFIERS[kind].items():
        if not identifiers.get(scheme):
            raise refused("XDSRegistryMetadataError", "missing", "必須の項目がありません",
                          at=f"{word}/{name}")  # fmt: skip
    schemes = _IDENTIFIERS[kind]
    return Package(
        id=xml.attribute(element, "id"),
        unique_id=identifiers[schemes["uniqueId"]],
        patient=ebxml.read_cx(identifiers[schemes["patientId"]], at=f"{word}/patientId"),
    )


def _association(element: etree._Element, at: str) -> Association:
    kind = xml.attribute(element, "associationType")
    if kind == "HasMember":  # without its URN, as Direct gateways write it
        kind = HAS_MEMBER
    made = Association(
        id=element.get("id", ""),
        kind=kind,
        source=xml.attribute(element, "sourceObject"),
        target=xml.attribute(element, "targetObject"),
        at=at,
    )
    if kind not in (HAS_MEMBER, REPLACES, *_NOT_KEPT):
        raise refused("XDSRegistryMetadataError", "a kind of association that is not known",
                      "関連の種類が不明です", at=at)  # fmt: skip
    if made.source == made.target:
        raise refused("XDSRegistryMetadataError", "an association of an object to itself",
                      "自分自身への関連です", at=at)  # fmt: skip
    return made


def replaced(
    associations: Iterable[Association], documents: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """What each document replaces, by the ids of the message; raises `Invalid` (4.2.2.2.3)."""
    found: dict[str, tuple[str, ...]] = {}
    for one in associations:
        if one.kind == HAS_MEMBER:
            continue
        if one.source not in documents or one.target in documents:
            raise refused(
                "UnresolvedReferenceException",
                "a document of this submission relates to one that is there already",
                "関連元は送信文書、関連先は登録済み文書です", at=one.at,
            )  # fmt: skip
        if one.kind in (REPLACES, _TRANSFORMS_AND_REPLACES):
            found[one.source] = (*found.get(one.source, ()), one.target.lower())
    return found


def warnings(objects: Objects, documents: Collection[str]) -> tuple[RegistryError, ...]:
    """What of these objects is not kept: folders, and relations but for replacement.

    Raises `Invalid` where one leads nowhere.
    """
    told = [
        warning("PartialFolderContentNotProcessed", "folders are not kept")
        for _ in objects.folders[:1]
    ]
    for one in objects.associations:
        if one.kind in _NOT_KEPT:
            told.append(warning(_NOT_KEPT[one.kind], f"the relation is not kept: {one.at}"))
    beside: list[Package | Association] = [*objects.folders, *objects.associations]
    ours = {*documents, *(one.id for one in beside)}
    for one in objects.associations:
        if one.kind != HAS_MEMBER or one.target in ours:
            continue
        if not one.target.startswith("urn:uuid:"):
            raise refused("UnresolvedReferenceException", "an association to nothing",
                          "関連先がありません", at=one.at)  # fmt: skip
        told.append(
            warning(
                "PartialRelationshipContentNotProcessed",
                f"members by reference are not kept: {one.at}",
            )
        )
    return tuple(told)


def warning(code: str, context: str) -> RegistryError:
    """A warning beside Success."""
    return RegistryError(code=code, context=context, location="", warning=True)


def refused(code: str, english: str, japanese: str, *, at: str = "") -> Invalid:
    """A refusal under its error code of ITI TF-3: 4.2.4.1."""
    return Invalid(english, japanese, at=at, rule=code)
