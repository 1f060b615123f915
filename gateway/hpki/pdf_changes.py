"""What revisions of a PDF may bring after a signature, where the library's rules let more through.

Its rules ask whether a new signature field can be seen, and trust what the field writes; they let
the form's own settings change, and every word about the document. Viewers draw a field by the first
four numbers of its place, run its actions, and draw fields anew where the form says so (ISO 32000-2
12.5.2, 12.6.3, 12.7.3): a file could show something that nobody signed.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.reader import HistoricalResolver
from pyhanko.sign.diff_analysis import (
    DiffResult,
    DocInfoRule,
    FieldComparisonContext,
    FieldMDPRule,
    FormUpdate,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    QualifiedWhitelistRule,
    ReferenceUpdate,
    StandardDiffPolicy,
    SuspiciousModification,
)
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from gateway.wire import xml

_DRAWN = ("/NeedAppearances", "/DA", "/Q")
"What of the form decides how its fields are drawn."
_ACTIONS = ("/A", "/AA")
_LITTLE, _NOTHING = 64, re.compile(rb"(?:\s|[qQ](?=\s|$)|%[^\r\n]*)*")
"Bytes of a stream that may be empty; what draws nothing, after its filters."
_CORNERS = 4
_NUMBERS = (generic.NumberObject, generic.FloatObject)
_SAID = ("/Title", "/Author", "/Subject", "/Keywords")
_XMP_SAID = tuple(
    f"{{http://purl.org/dc/elements/1.1/}}{name}"
    for name in ("title", "creator", "subject", "description")
)


class Permitted(StandardDiffPolicy):  # type: ignore[misc]
    """The library's policy, for signers that give back numbers which no object had before."""

    def __init__(self, *rules: QualifiedWhitelistRule, form_rule: FormUpdatingRule) -> None:
        super().__init__(list(rules), form_rule, reject_object_freeing=False)

    def apply(
        self,
        old: HistoricalResolver,
        new: HistoricalResolver,
        field_mdp_spec: FieldMDPSpec | None = None,
        doc_mdp: MDPPerm | None = None,
    ) -> DiffResult:
        """As the library has it; raises `SuspiciousModification` where an object was removed."""
        if not all(map(old.is_ref_unassignable, new.refs_freed_in_revision())):
            raise SuspiciousModification("an object was removed")
        return super().apply(old, new, field_mdp_spec, doc_mdp)


class Embedded(EmbeddedPdfSignature):  # type: ignore[misc]
    """A signature, also over a file of both kinds of cross-references (ISO 32000-2 7.5.8.4).

    Word processors write such files. All that is in them is signed; what comes later has one kind,
    as the library demands where it compares.
    """

    def _enforce_hybrid_xref_policy(self) -> None:
        held = self.reader.xrefs
        later = range(self.signed_revision + 1, held.total_revisions)
        if any(held.get_xref_data(one).hybrid is not None for one in later):
            raise SuspiciousModification("two kinds of cross-references came after it")


class PlainFieldRule(FieldMDPRule):  # type: ignore[misc]
    """New signature fields are nothing but that; what else the form holds is drawn as before."""

    def apply(
        self, context: FieldComparisonContext
    ) -> Iterable[tuple[ModificationLevel, FormUpdate]]:
        """Allow appearances of nothing; raise `SuspiciousModification` for what must not be there.

        Signers that cannot leave an appearance away give an invisible field an empty one.
        """
        for name, spec in context.field_specs.items():
            if spec.field_type != "/Sig":
                _check_settings(context.old, context.new)
            elif spec.new_field is not None and "/V" not in (spec.old_field or ()):
                _check_field(spec.new_field)
                for one in (spec.new_field, *_kids(spec.new_field)):
                    for reference in _empty(one):
                        if context.old.is_ref_unassignable(reference):
                            update = FormUpdate(
                                updated_ref=reference, field_name=name, valid_when_locked=True
                            )
                            yield ModificationLevel.LTA_UPDATES, update


def _empty(field: generic.DictionaryObject) -> Iterator[generic.Reference]:
    """The parts of an appearance in which nothing is drawn."""
    appearance = _value(field, "/AP")
    if not isinstance(appearance, generic.DictionaryObject) or set(appearance) != {"/N"}:
        return
    drawn = appearance["/N"]
    if (
        isinstance(drawn, generic.StreamObject)
        and len(drawn.encoded_data) <= _LITTLE
        and _NOTHING.fullmatch(drawn.data)
    ):
        for held, name in ((field, "/AP"), (appearance, "/N")):
            found = held.raw_get(name)
            if isinstance(found, generic.IndirectObject):
                yield found.reference


def _check_field(field: generic.DictionaryObject) -> None:
    """A field that was not signed before: where it is can be told, and it does nothing."""
    for one in (field, *_kids(field)):
        place = _value(one, "/Rect")
        if place is not None and not (
            isinstance(place, generic.ArrayObject)
            and len(place) == _CORNERS
            and all(isinstance(number, _NUMBERS) for number in place)
        ):
            raise SuspiciousModification("where a signature field is shown cannot be told")
        if any(name in one for name in _ACTIONS):
            raise SuspiciousModification("a signature field has an action")


def _kids(field: generic.DictionaryObject) -> Iterator[generic.DictionaryObject]:
    """The widgets of a field; those with a name are fields of their own."""
    for kid in _value(field, "/Kids") or ():
        one = kid.get_object()
        if not isinstance(one, generic.DictionaryObject):
            raise SuspiciousModification("a widget is not a dictionary")
        if "/T" in one:
            continue
        if "/Kids" in one:
            raise SuspiciousModification("a widget has parts")
        yield one


def _value(held: generic.DictionaryObject, name: str) -> Any:
    """What an entry leads to in this revision, which `get` does not follow."""
    try:
        return held[name]
    except KeyError:
        return None


def _check_settings(old: HistoricalResolver, new: HistoricalResolver) -> None:
    before, after = old.root["/AcroForm"], new.root["/AcroForm"]
    for name in _DRAWN:
        if _raw(before, name) != _raw(after, name):
            raise SuspiciousModification("how form fields are drawn was changed")
    fonts, more = _value(before, "/DR"), _value(after, "/DR")
    if fonts is not None and not _goes_on(fonts, more):
        raise SuspiciousModification("what form fields are drawn with was changed")


def _goes_on(before: generic.DictionaryObject, after: object) -> bool:
    """Whether what the form names is still there by its name; signers add their own beside it."""
    if not isinstance(after, generic.DictionaryObject):
        return False
    for kind in before:
        held, now = before[kind], _value(after, kind)
        if _raw(before, kind) == _raw(after, kind):
            continue
        if not isinstance(held, generic.DictionaryObject) or not isinstance(
            now, generic.DictionaryObject
        ):
            return False
        if any(_raw(held, name) != _raw(now, name) for name in held):
            return False
    return True


def _raw(held: Any, name: str) -> object:
    return held.raw_get(name) if name in held else None


class SameWordsRule(DocInfoRule):  # type: ignore[misc]
    """The file's own description may tell who wrote it last, but not another title."""

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        """As the library has it; raises `SuspiciousModification` for other words."""
        if _said(old) != _said(new) and "/Info" in new.trailer_view:
            raise SuspiciousModification("the description of the document was changed")
        yield from super().apply(old, new)


def _said(revision: HistoricalResolver) -> list[object]:
    reference = revision.trailer_view.get_value_as_reference("/Info", optional=True)
    info = None if reference is None else revision.get_object(reference)
    if not isinstance(info, generic.DictionaryObject):
        return [None for _ in _SAID]
    return [_value(info, one) for one in _SAID]


class SameMetadataRule(MetadataUpdateRule):  # type: ignore[misc]
    """The same for metadata in XMP; where it is new, it may repeat the description."""

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterable[ReferenceUpdate]:
        """As the library has it; raises `SuspiciousModification` for other words."""
        yield from super().apply(old, new)
        if "/Metadata" not in new.root:
            return
        before, after = _words(old), _words(new)
        told = {str(one) for one in _said(old) if one is not None}
        if before - after or any(word not in told for _, word in after - before):
            raise SuspiciousModification("the metadata of the document was changed")


def _words(revision: HistoricalResolver) -> set[tuple[str, str]]:
    """What XMP says of the document, as elements or as attributes.

    The library has read it before, so that it is well-formed and as small as it allows.
    """
    if "/Metadata" not in revision.root:
        return set()
    content = revision.root["/Metadata"].read_data(DecodePurpose.XMP_METADATA)
    found = set()
    for one in xml.parse_own(content).iter():
        if one.tag in _XMP_SAID:
            found.add((str(one.tag), "".join(one.itertext()).strip()))
        found.update((name, str(one.attrib[name])) for name in _XMP_SAID if name in one.attrib)
    return found
