"""Doctor cards of users: one card, one registered person (SIG-04).

A card is known by its issuer and the holder's number there, so that a renewed one stays bound. It
is bound by the secretariat from the certificate itself; nothing is ever guessed from a name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import Inconsistent, NotFound
from gateway.members import binding, users
from gateway.members.users import User
from gateway.store import logins as rows
from gateway.store.work import Work

_MOST = 8
"Cards that one person may have: two qualifications, a second certificate, a card on its way out."


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCard:
    """One card of a user."""

    key: str
    user: str
    number: str
    subject: str
    authority: str
    roles: tuple[str, ...] = ()
    "Health-care roles that the certificate stated when it was bound."


def bind(
    work: Work,
    name: str,
    *,
    key: str,
    number: str,
    subject: str,
    authority: str,
    roles: Iterable[str] = (),
) -> BoundCard:
    """Bind a card to a user; raises `Inconsistent` where it is somebody's already (SIG-04)."""
    binding.require_operator(work)
    binding.require_alive(work, name)
    held = rows.select_card(work.db, key)
    if held is not None:
        raise Inconsistent(
            "the card is bound already" if held.member == name else "the card is another user's",
            "登録済みのカードです" if held.member == name else "他の利用者のカードです",
            at="card", rule="SIG-04",
        )  # fmt: skip
    if len(rows.select_cards(work.db, name)) >= _MOST:
        raise Inconsistent("the user has too many cards", "カードの登録数が上限です", at="card")
    content = {
        "number": number, "subject": subject, "authority": authority, "roles": sorted(roles),
    }  # fmt: skip
    row = rows.CardRow(key, name, content)
    rows.insert_card(work.db, row)
    binding.note(work, name, "card-bound", "card", key)
    return _card(row)


def unbind(work: Work, name: str, number: str, *, reason: str) -> BoundCard:
    """Take a card from a user, and end what it logged in; raises `NotFound`."""
    binding.require_operator(work)
    binding.require_reason(reason)
    named = [card for card in of(work, name) if number in (card.number, card.key)]
    if len(named) != 1:
        raise NotFound("no such card", "カードが登録されていません", at="card")
    (card,) = named
    rows.delete_card(work.db, card.key)
    binding.end_sessions(work, name, "card", card.key)
    binding.note(work, name, "card-unbound", "card", card.key, reason)
    return card


def of(work: Work, name: str) -> tuple[BoundCard, ...]:
    """The cards of one user."""
    return tuple(_card(row) for row in rows.select_cards(work.db, name))


def holder(work: Work, key: str) -> User | None:
    """Whose card this is; None where nobody's."""
    row = rows.select_card(work.db, key)
    return None if row is None else users.find(work, row.member)


def _card(row: rows.CardRow) -> BoundCard:
    content = row.content
    return BoundCard(
        key=row.key, user=row.member, number=content["number"], subject=content["subject"],
        authority=content["authority"], roles=tuple(content["roles"]),
    )  # fmt: skip
