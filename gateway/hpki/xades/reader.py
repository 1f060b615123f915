"""A signed XML document to what can be judged without trust, one `Opened` for each signature."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from asn1crypto import x509
from lxml import etree

from gateway.errors import Malformed, Refusal
from gateway.hpki.opened import Opened, Unfit, failed
from gateway.hpki.policy import Algorithms
from gateway.hpki.xades import (
    contents,
    core,
    files,
    places,
    references,
    refusals,
    renewed,
    signer,
    unsigned,
)
from gateway.hpki.xades.names import DS, SIGNATURES, XADES
from gateway.hpki.xades.places import Document, Kind, Parts
from gateway.hpki.xades.references import Reference, Role
from gateway.model.signature import CheckOutcome, SignedFile
from gateway.wire import xml

_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SIGNED = DS[1:-1].encode()
_TRACES = (_SIGNED, _SIGNED.decode().encode("utf-16-le"), _SIGNED.decode().encode("utf-16-be"))


def open_signatures(
    content: bytes, allowed: Algorithms, handed: Mapping[str, bytes]
) -> tuple[Opened, ...]:
    """The signatures of an XML document; none where it is unsigned.

    `handed` is the files beside it, by name. What cannot be read safely counts as signed where it
    shows any trace of a signature, so that nobody files a damaged signed document as an unsigned
    one; so does any DOCTYPE.
    """
    try:
        if b"\x00" in content[:4] and content[:2] not in _MARKS:  # a parser would guess
            raise Malformed(
                "UTF-16 without its byte order mark", "バイト順マークのない UTF-16 です",
                rule="A-05", log="XML-ENC",
            )  # fmt: skip
        root = xml.parse(content)
    except Refusal as refusal:
        if refusal.log != "XML-DTD" and not any(trace in content for trace in _TRACES):
            return ()
        return (
            Opened(
                form="XML",
                checks=(
                    failed(
                        "structure", refusal.english, refusal.japanese, refusal.rule or "XML 1.0"
                    ),
                ),
            ),
        )
    try:
        _screen(root)
        document = places.locate(root)
    except Unfit as unfit:
        return (Opened(form="XAdES", checks=(unfit.check,)),)
    reading = _Reading(document, allowed, handed, set(), {})
    found = tuple(reading.open(one) for one in document.signatures)
    strange = files.judge_extra(reading.names, handed)
    if (
        len(
            {
                reading.contents[one]
                for one in map(id, document.signatures)
                if one in reading.contents
            }
        )
        > 1
    ):
        strange = (*strange, refusals.divided().check)
    return tuple(replace(one, checks=(*one.checks, *strange)) for one in found)


def _screen(root: etree._Element) -> None:
    """Refuse methods that are not on the list, and addresses, wherever they stand (B-03, B-05)."""
    for info in root.iter(f"{DS}SignedInfo"):
        for reference in info.iter(f"{DS}Reference"):
            if "://" in (reference.get("URI") or ""):
                raise refusals.pointer()
        for method in info.iter(f"{DS}SignatureMethod"):
            if method.get("Algorithm") not in SIGNATURES:
                raise refusals.weak()


@dataclass(frozen=True, slots=True)
class _Reading:
    """One document as it is read."""

    document: Document
    allowed: Algorithms
    handed: Mapping[str, bytes]
    names: set[str]
    "Names of files that are signed here, as they are met."
    contents: dict[int, frozenset[object]]
    "What each signature is over."

    def open(self, parts: Parts) -> Opened:
        """One signature, with those inside of it and those about it."""
        try:
            return self._open(parts)
        except Unfit as unfit:
            return Opened(
                form="XAdES",
                checks=(unfit.check,),
                embedded=tuple(self.open(one) for one in parts.embedded),
                countersigned=tuple(self.open(one) for one in parts.counters),
            )

    def _open(self, parts: Parts) -> Opened:
        mechanism = core.read_mechanism(parts, self.allowed)
        found = references.read_all(parts, self.document, self.allowed)
        self.contents[id(parts)] = references.content(found)
        enclosed, lists = unsigned.certificates(parts), unsigned.lists(parts)
        certificate, given = signer.find(parts, enclosed, self.allowed)
        result = core.verify(parts, mechanism, found, certificate, self.handed, self.allowed)
        listed = files.read_lists(found, self.handed, self.allowed)
        self.names.update(one.name for one in (*found, *listed.references) if one.role is Role.FILE)
        added = unsigned.Unsigned()
        if result.octets:
            added = unsigned.read(parts, found, result.octets, self.handed)
        if added.archives and None in result.octets:
            # What archive time-stamps are over is not at hand; without them the rest would be
            # judged at the wrong time.
            return Opened(form="XAdES", checks=result.checks, level=added.level)
        beside = tuple(zip(listed.references, listed.octets, strict=True))
        stamped = contents.read(
            parts,
            tuple(zip(found, result.octets, strict=False)),
            beside,
            self.document.ids,
            self.handed,
        )
        again = renewed.judge(parts, beside, self.allowed)
        checks = (*result.checks, *files.judge(listed), *again)
        content = _Content()
        holds = all(check.outcome is CheckOutcome.PASSED for check in checks)
        if holds and parts.kind is not Kind.COUNTER:
            content = _Content.of(found, result.octets, listed)
        return Opened(
            form="XAdES",
            checks=checks,
            certificate=certificate,
            helpers=_each(given, enclosed),
            crls=lists,
            tokens=added.tokens,
            archives=added.archives,
            contents=stamped,
            referred=added.referred,
            level=added.level,
            embedded=tuple(self.open(one) for one in parts.embedded),
            countersigned=tuple(_helped(self.open(one), enclosed, lists) for one in parts.counters),
            counters_archived=added.counters_archived,
            claimed=_claimed(parts) if holds else None,
            covered=content.covered,
            whole_document=content.whole,
            files=content.beside,
        )


def _helped(
    counter: Opened, enclosed: tuple[x509.Certificate, ...], lists: tuple[bytes, ...]
) -> Opened:
    """A countersignature, with what its signature encloses to judge it by."""
    return replace(counter, helpers=_each(counter.helpers, enclosed), crls=(*counter.crls, *lists))


def _each(
    given: tuple[x509.Certificate, ...], enclosed: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    return tuple({one.sha256: one for one in (*given, *enclosed)}.values())


@dataclass(frozen=True, slots=True)
class _Content:
    """What is covered, as a user of the document understands it."""

    covered: bytes = b""
    "The one thing that is signed; where several are, the files tell which."
    whole: bool = False
    beside: tuple[SignedFile, ...] = ()

    @classmethod
    def of(
        cls, found: tuple[Reference, ...], octets: tuple[bytes | None, ...], listed: files.Listed
    ) -> "_Content":
        """What is covered by a signature that holds."""
        pairs = list(zip(found, octets, strict=True))
        beside = files.signed((*pairs, *zip(listed.references, listed.octets, strict=True)))
        for one, digested in pairs:
            if one.role is Role.WHOLE:
                return cls(digested or b"", True, beside)
        things = [one for one in pairs if one[0].role in (Role.PART, Role.FILE)]
        things.extend(zip(listed.references, listed.octets, strict=True))
        if len(things) == 1:
            return cls(things[0][1] or b"", False, beside)
        return cls(b"", False, files.signed(things, Role.PART, Role.FILE))


def _claimed(parts: Parts) -> datetime | None:
    """The signing time in the signed properties: a claim, no proof."""
    place = f"{XADES}SignedSignatureProperties/{XADES}SigningTime"
    try:
        moment = datetime.fromisoformat((parts.properties.findtext(place) or "").strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
