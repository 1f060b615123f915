"""What may be done with what is shown: looked at, saved, printed (HND-01, HND-02).

Printing is never an exception. Saving is, of three kinds of documents; of those the network's
policy names the ones that it has. Where the policy leaves it to the facilities, nothing is refused.
"""

from enum import Enum

from gateway.errors import NotPermitted
from gateway.model.category import Category
from gateway.model.document import Assurance, DocumentEntry
from gateway.model.rules import HandlingRules
from gateway.record.documents import REFERRALS
from gateway.store.work import Work

_PROHIBITED = "prohibited"


class Handling(Enum):
    """What somebody wants of a document or a record."""

    VIEW = "view"
    SAVE = "save"
    PRINT = "print"


def require(work: Work, handling: Handling, entry: DocumentEntry | None = None) -> None:
    """Refuse what the network prohibits; `entry` is None for a record as a whole.

    Raises `NotPermitted`. The trail names what was wanted, and the exception that allowed it.
    """
    work.trail.detail["handling"] = handling.value
    rules = work.policy.handling
    match handling:
        case Handling.PRINT if rules.print == _PROHIBITED:
            raise NotPermitted(
                "registered information is not printed", "登録情報の印刷は禁止されています",
                at="purpose", rule="HND-01", log="AUTHZ-DENY",
            )  # fmt: skip
        case Handling.SAVE if rules.save == _PROHIBITED:
            found = None if entry is None else exception(rules, entry, work.caller.facility)
            if found is None:
                raise NotPermitted(
                    "registered information is not saved; look at it instead",
                    "登録情報の保存は禁止されています。画面で閲覧してください",
                    at="purpose", rule="HND-01", log="AUTHZ-DENY",
                )  # fmt: skip
            work.trail.rule = "HND-02"
            work.trail.detail["exception"] = found


def exception(rules: HandlingRules, entry: DocumentEntry, facility: str) -> str | None:
    """The exception by which somebody of `facility` may save a document, or None (HND-02)."""
    ordered = entry.category is Category.LAB_RESULT and entry.facility == facility
    holding = {
        "card_signed": entry.assurance is Assurance.VERIFIED,
        "referral_letter": entry.type_code.code in REFERRALS,
        "own_ordered_test_result": ordered and bool(facility),
    }
    return next((name for name in rules.save_exceptions if holding[name]), None)
