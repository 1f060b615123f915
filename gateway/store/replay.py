"""What was seen before: feeds by MessageID, assertions by their first use, HL7 v2 by control id.

`security.md` B-12, D-06, E-03. All are written in the message's own Work, so that two processes
cannot both take one as new.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    delete,
    select,
    text,
    update,
)

from gateway.store.metadata import METADATA, Moment

MESSAGE = Table(
    "message_seen",
    METADATA,
    Column("sender", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    PrimaryKeyConstraint("sender", "id"),
)
ASSERTION = Table(
    "assertion_seen",
    METADATA,
    Column("issuer", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("certificate", Text, nullable=False),
    Column("until", Moment, nullable=False, index=True),
    PrimaryKeyConstraint("issuer", "id"),
)
CONTROL = Table(
    "control_seen",
    METADATA,
    Column("sender", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("answers", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    PrimaryKeyConstraint("sender", "id"),
)

_CLAIM_CONTROL = text(
    "INSERT INTO control_seen (sender, id, digest, answers, at) "
    "VALUES (:sender, :id, :digest, :answers, :at) ON CONFLICT DO NOTHING"
).bindparams(bindparam("at", type_=Moment))
_BETWEEN = b"\x1c"
"Separates the answers of one message: no byte of an HL7 message."
_CLAIM_MESSAGE = text(
    "INSERT INTO message_seen (sender, id, digest, answer, at) "
    "VALUES (:sender, :id, :digest, :answer, :at) ON CONFLICT DO NOTHING"
).bindparams(bindparam("at", type_=Moment))
_INSERT_ASSERTION = text(
    "INSERT INTO assertion_seen (issuer, id, certificate, until) "
    "VALUES (:issuer, :id, :certificate, :until) ON CONFLICT DO NOTHING"
).bindparams(bindparam("until", type_=Moment))


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message that was answered before: the digest of its bytes, and the answer's payload."""

    digest: str
    answer: bytes


def select_message(db: Connection, sender: str, id: str) -> SeenMessage | None:
    """The message of this sender with this id, if it was answered before."""
    row = db.execute(
        select(MESSAGE.c.digest, MESSAGE.c.answer).where(
            MESSAGE.c.sender == sender, MESSAGE.c.id == id
        )
    ).first()
    return None if row is None else SeenMessage(row.digest, bytes(row.answer))


def claim_message(db: Connection, sender: str, id: str, digest: str, at: datetime) -> bool:
    """Take a message as new; False where it was answered before.

    Where another process is answering the same one now, this waits for how that ends.
    """
    values = {"sender": sender, "id": id, "digest": digest, "answer": b"", "at": at}
    return db.execute(_CLAIM_MESSAGE, values).rowcount == 1


def update_answer(db: Connection, sender: str, id: str, answer: bytes) -> None:
    """Keep the answer of a message that was claimed, to give it once more."""
    db.execute(
        update(MESSAGE).where(MESSAGE.c.sender == sender, MESSAGE.c.id == id).values(answer=answer)
    )


@dataclass(frozen=True, slots=True)
class SeenControl:
    """An HL7 v2 message that was taken before: the digest of its bytes, and what was answered."""

    digest: str
    answers: tuple[bytes, ...]


def select_control(db: Connection, sender: str, id: str) -> SeenControl | None:
    """The message of this sending system with this control id, if one was taken before."""
    row = db.execute(
        select(CONTROL.c.digest, CONTROL.c.answers).where(
            CONTROL.c.sender == sender, CONTROL.c.id == id
        )
    ).first()
    if row is None:
        return None
    return SeenControl(
        row.digest, tuple(part for part in bytes(row.answers).split(_BETWEEN) if part)
    )


def claim_control(
    db: Connection, sender: str, id: str, digest: str, answers: tuple[bytes, ...], at: datetime
) -> bool:
    """Take a control id with what is answered; False where it was taken before."""
    values = {
        "sender": sender, "id": id, "digest": digest, "answers": _BETWEEN.join(answers), "at": at,
    }  # fmt: skip
    return db.execute(_CLAIM_CONTROL, values).rowcount == 1


def select_assertion(db: Connection, issuer: str, id: str) -> str | None:
    """The TLS certificate that used this assertion first, if it was used."""
    found = db.execute(
        select(ASSERTION.c.certificate).where(ASSERTION.c.issuer == issuer, ASSERTION.c.id == id)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def insert_assertion(
    db: Connection,
    issuer: str,
    id: str,
    certificate: str,
    until: datetime,
) -> bool:
    """Remember the first use of an assertion; False where another process was first."""
    values = {"issuer": issuer, "id": id, "certificate": certificate, "until": until}
    return db.execute(_INSERT_ASSERTION, values).rowcount == 1


def delete_expired(
    db: Connection, messages_before: datetime, controls_before: datetime, now: datetime
) -> None:
    """Forget what can no longer be replayed (section 3)."""
    db.execute(delete(CONTROL).where(CONTROL.c.at < controls_before))
    db.execute(delete(MESSAGE).where(MESSAGE.c.at < messages_before))
    db.execute(delete(ASSERTION).where(ASSERTION.c.until < now))
