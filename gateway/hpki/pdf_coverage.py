"""What a PDF signature covers, and what came after it (ISO 32000-2 12.8.1, EN 319 142-1 5.4).

A signature covers the file to its end, or to the end of one of its revisions. Later revisions may
bring validation data, document time-stamps and further signatures, and nothing else: no page, no
text, no value of a form field, whatever the file itself permits.
"""

import re

from asn1crypto.cms import ContentInfo
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DiffResult,
    DSSCompareRule,
    FormUpdatingRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    XrefStreamRule,
)
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from gateway.hpki.opened import Unfit, failed, passed
from gateway.hpki.pdf_changes import Permitted, PlainFieldRule, SameMetadataRule, SameWordsRule
from gateway.model.signature import Check

SECTION = "ISO 32000-2 12.8"
_GAP = re.compile(rb"<([0-9a-f]*|[0-9A-F]*)>")
_LONGEST_GAP = 16 * 1024 * 1024
"Characters of a signature value; revocation lists may be in it."
_END = b"%%EOF"
_LTA = ModificationLevel.LTA_UPDATES
PERMITTED = Permitted(
    CatalogModificationRule(),
    *(
        rule.as_qualified(_LTA)
        for rule in (
            SameWordsRule(),
            XrefStreamRule(),
            ObjectStreamRule(),
            DSSCompareRule(),
            SameMetadataRule(),
        )
    ),
    form_rule=FormUpdatingRule(
        field_rules=[PlainFieldRule(), SigFieldCreationRule(), SigFieldModificationRule()]
    ),
)
"What may come after a signature. The library's own policy also lets form fields be filled in."


def end(content: bytes, embedded: EmbeddedPdfSignature) -> int:
    """Where the signature's reach ends; its gap must hold the signature and no more."""
    ranges = [int(number) for number in embedded.byte_range]
    if len(ranges) != 4 or ranges[0] != 0 or min(ranges) < 0:
        raise Unfit(uncovered())
    _, first, second, length = ranges
    if not first < second <= min(first + _LONGEST_GAP, len(content)):
        raise Unfit(uncovered())
    gap = _GAP.fullmatch(content[first:second])
    if gap is None or second + length > len(content):
        raise Unfit(uncovered())
    held = bytes.fromhex(gap[1].decode("ascii"))
    padding = held[len(ContentInfo.load(held).dump()) :]
    if held != embedded.pkcs7_content or padding.strip(b"\x00"):
        raise Unfit(uncovered())
    return second + length


def changes(content: bytes, embedded: EmbeddedPdfSignature, reach: int) -> ModificationLevel:
    """What came after the revision that the signature covers; `OTHER` is never permitted.

    `LTA_UPDATES` may stand behind the last signature; `FORM_FILLING` is a further signature.
    """
    embedded.compute_integrity_info(diff_policy=PERMITTED)
    if embedded.coverage is SignatureCoverageLevel.ENTIRE_FILE:
        return ModificationLevel.NONE
    found = embedded.diff_result
    followed = embedded.reader.xrefs.total_revisions - embedded.signed_revision - 1
    if (
        followed > 0  # bytes behind the last revision belong to nothing
        and _revisions(content, reach) == followed
        and embedded.coverage is SignatureCoverageLevel.ENTIRE_REVISION
        and isinstance(found, DiffResult)
        and bool(embedded.summarise_integrity_info()["docmdp_ok"])
    ):
        return found.modification_level
    return ModificationLevel.OTHER


def is_whole(found: ModificationLevel, *, followed: bool) -> bool:
    """Whether the changes are permitted; further signatures only where one of them follows.

    A new field that nobody signed may show anything.
    """
    most = ModificationLevel.FORM_FILLING if followed else ModificationLevel.LTA_UPDATES
    return bool(found <= most)


def _revisions(content: bytes, reach: int) -> int:
    """Revisions behind `reach`, by their ends; 0 where the last one is not the file's end."""
    if not content.endswith((_END, _END + b"\n", _END + b"\r", _END + b"\r\n")):
        return 0
    return content.count(_END, reach)


def check(*, whole: bool) -> Check:
    """The check that stands for all of it."""
    if not whole:
        return uncovered()
    return passed("coverage", "the whole document is signed", "文書全体が署名されています", SECTION)


def uncovered() -> Check:
    """It does not cover what is shown."""
    return failed(
        "coverage",
        "the signature does not cover the document, or the document was changed after it",
        "署名が文書全体を対象としていないか、署名後に変更されています",
        SECTION,
    )
