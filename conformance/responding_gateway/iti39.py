"""ITI-39 Cross Gateway Retrieve: bytes as XOP parts, and one error for each that is missing.

ITI TF-2: 3.39 and 3.43; ITI TF-2: V.8.
"""

import hashlib
from collections.abc import Callable

from lxml import etree

from conformance import messages
from conformance.case import Case, Group, expect, expect_equal, expect_error, outcome
from conformance.client import NAMESPACES, Answer, included
from conformance.responding_gateway import iti38
from conformance.world import World

_NOBODY = "2.25.1"


def _responses(answer: Answer) -> list[etree._Element]:
    return list(answer.xml().iter(f"{{{NAMESPACES['xds']}}}DocumentResponse"))


def _ask(world: World, *wanted: tuple[str, str], home: str = "") -> Answer:
    return world.retrieve(messages.retrieve(wanted, home=home or world.home))


def _asked(entry: etree._Element) -> tuple[str, str]:
    return iti38.slot(entry, "repositoryUniqueId"), iti38.identifier(entry)


def _check(answer: Answer, world: World, entry: etree._Element, got: etree._Element) -> None:
    """One DocumentResponse against its entry."""
    repository, unique_id = _asked(entry)
    for name, wanted in (
        ("HomeCommunityId", f"urn:oid:{world.home}"),
        ("RepositoryUniqueId", repository),
        ("DocumentUniqueId", unique_id),
        ("mimeType", str(entry.get("mimeType"))),
    ):
        expect_equal(got.findtext(f"xds:{name}", "", NAMESPACES), wanted, name)
    document = got.find("xds:Document", NAMESPACES)
    content = included(document, answer) if document is not None else None
    expect(content is not None, "the document's part is missing")
    if content is not None:
        expect_equal(str(len(content)), iti38.slot(entry, "size"), "size")
        digest = hashlib.sha1(content).hexdigest()  # noqa: S324 - XDS wants SHA-1
        expect_equal(digest, iti38.slot(entry, "hash").lower(), "hash")


def one(world: World) -> str:
    """A document comes as it is described."""
    entry = iti38.documents(world)[0]
    answer = _ask(world, _asked(entry))
    expect_equal(outcome(answer), "Success", "status")
    found = _responses(answer)
    expect_equal(len(found), 1, "number of documents")
    _check(answer, world, entry, found[0])
    return f"{iti38.slot(entry, 'size')} bytes, hash equal"


def every(world: World) -> str:
    """Several documents in one answer."""
    wanted = {_asked(entry): entry for entry in iti38.documents(world)}
    answer = _ask(world, *wanted)
    expect_equal(outcome(answer), "Success", "status")
    found = _responses(answer)
    expect_equal(len(found), len(wanted), "number of documents")
    for got in found:
        asked = (
            got.findtext("xds:RepositoryUniqueId", "", NAMESPACES),
            got.findtext("xds:DocumentUniqueId", "", NAMESPACES),
        )
        expect(asked in wanted, "a document that was not asked for")
        _check(answer, world, wanted[asked], got)
    return f"{len(found)} documents"


def packaged(world: World) -> str:
    """The answer is MTOM with the root part first and every part referenced."""
    answer = _ask(world, _asked(iti38.documents(world)[0]))
    kind = answer.headers.get("content-type", "")
    for part in ('type="application/xop+xml"', "start-info="):
        expect(part in kind, f"Content-Type lacks {part}: {kind}")
    expect_equal(len(answer.parts), len(_responses(answer)), "number of parts")
    return "multipart/related, application/xop+xml"


def unknown(world: World) -> str:
    """Nothing found is a failure with the document's id."""
    answer = _ask(world, (world.data.repository, _NOBODY))
    told = expect_error(answer, world.home, "XDSDocumentUniqueIdError")
    expect_equal(_responses(answer), [], "documents")
    context = answer.values("//rs:RegistryError/@codeContext")
    expect(_NOBODY in context[0], "the error does not name the document")
    return told


def mixed(world: World) -> str:
    """What is there comes, and what is not is told."""
    entry = iti38.documents(world)[0]
    answer = _ask(world, _asked(entry), (world.data.repository, _NOBODY))
    told = expect_error(answer, world.home, "XDSDocumentUniqueIdError", status="PartialSuccess")
    found = _responses(answer)
    expect_equal(len(found), 1, "number of documents")
    _check(answer, world, entry, found[0])
    return told


def other_repository(world: World) -> str:
    """A repository that is not the community's."""
    asked = iti38.identifier(iti38.documents(world)[0])
    return expect_error(_ask(world, ("2.999.40.99", asked)), world.home, "XDSUnknownRepositoryId")


def other_community(world: World) -> str:
    """Another community's document."""
    asked = _asked(iti38.documents(world)[0])
    return expect_error(_ask(world, asked, home="2.999.10.99"), world.home, "XDSUnknownCommunity")


def without_community(world: World) -> str:
    """The community is required here."""
    payload = messages.retrieve([_asked(iti38.documents(world)[0])], home=world.home)
    start, _, rest = payload.partition("<xds:HomeCommunityId>")
    payload = start + rest.partition("</xds:HomeCommunityId>")[2]
    return expect_error(world.retrieve(payload), world.home, "XDSMissingHomeCommunityId")


def each_missing(world: World) -> str:
    """One error for each document that is missing."""
    wanted = [(world.data.repository, f"2.25.{number}") for number in (1, 2, 3)]
    codes = ["XDSDocumentUniqueIdError"] * 3
    return expect_error(_ask(world, *wanted), world.home, *codes)


def _case(number: int, at: str, sends: str, expects: str, check: Callable[[World], str]) -> Case:
    return Case(
        id=f"ITI-39-{number:02}", transaction="ITI-39", section=f"ITI {at}", sends=sends,
        expects=expects, check=check,
    )  # fmt: skip


_XR, _ERRORS = "TF-2: 3.39.4.1.3", "TF-3: 4.2.4.1"

GROUP = Group(
    actor="Responding Gateway (XCA)",
    actor_ja="応答ゲートウェイ（文書の検索と取得）",
    profile="xca",
    cases=(
        _case(1, _XR, "a document of ITI-38", "its bytes: size, hash, type and ids equal", one),
        _case(2, _XR, "all documents of ITI-38", "all of them, each as described", every),
        _case(3, "TF-2: V.8", "a document", "multipart/related with XOP parts", packaged),
        _case(4, _ERRORS, "an unknown document", "Failure, XDSDocumentUniqueIdError", unknown),
        _case(5, "TF-3: 4.2.4.2", "a known and an unknown document",
              "PartialSuccess, document and error", mixed),
        _case(6, _ERRORS, "another repository", "XDSUnknownRepositoryId", other_repository),
        _case(7, _ERRORS, "another community", "XDSUnknownCommunity", other_community),
        _case(8, _ERRORS, "no community", "XDSMissingHomeCommunityId", without_community),
        _case(9, _ERRORS, "three unknown documents", "one error each", each_missing),
    ),
)  # fmt: skip
