"""Passwords: what one must be like, and how it is kept (CRD-01 to CRD-03, CRD-10; K-02).

Kept is scrypt (RFC 7914) of the password with a salt of its own; the cost stands beside it, so that
it can be raised later.
"""

import base64
import hashlib
import hmac
import re

from gateway.errors import Invalid
from gateway.model.rules import IdRules, PasswordRules

LONGEST = 128
_HALF_WIDTH = re.compile(r"[!-~]+")
_LETTERS_DIGITS = re.compile(r"[A-Za-z0-9]+")
_CLASSES = {
    "letter": re.compile(r"[A-Za-z]"),
    "digit": re.compile(r"[0-9]"),
    "symbol": re.compile(r"[^A-Za-z0-9]"),
}
COST = 15
"Power of two of scrypt's N: 32 MiB and some tenths of a second for each try."
_BLOCK, _LANES, _KEY = 8, 3, 32
_MEMORY = 64 * 1024 * 1024
_FEWEST = 5
"Different characters in a password that is not easily guessed."
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qazwsxedcrfvtgb")
_RUN = 6
_LIKE = str.maketrans("013457@$", "oleastas")
_WORDS = frozenset(
    """
    access admin administrator aishiteru anzen azerty baseball byoin byouin changeme clinic
    computer daisuki default doctor doraemon dragon football fukushima gateway gifu guest himitsu
    hospital iloveyou iryo iryou iyaku japan karte kangoshi kokoro letmein login master medical
    monkey nagasaki naruto nihon nippon nurse ohayo osaka passcode passw password passwd patient
    pharmacist pharmacy pokemon princess qwerty root sakura sample secret sensei shadow sunshine
    superman system temp temporary test tokyo totoro user welcome yakkyoku yakuzaishi
    """.split()  # noqa: SIM905
)
"What is tried first: the words of public lists of leaked passwords, and those of this trade."


def require_id(name: str, rules: IdRules) -> None:
    """Raise `Invalid` unless a user's name may log in by password (CRD-02)."""
    if len(name) < rules.min_length or not _LETTERS_DIGITS.fullmatch(name):
        raise Invalid(
            f"an id that logs in by password is {rules.min_length} or more letters and digits: "
            "register the user under such an id",
            f"パスワードでログインするIDは半角英数字{rules.min_length}文字以上です。"
            "該当するIDで利用者を登録してください",
            at="user", rule="CRD-02",
        )  # fmt: skip


def require_strong(password: str, rules: PasswordRules, *, least: int, name: str) -> None:
    """Raise `Invalid` unless a password may be chosen (CRD-03, CRD-10, K-02).

    `least` is the operator's own lower bound, `name` the user's.
    """
    least = max(least, rules.min_length)
    if not least <= len(password) <= LONGEST or not _HALF_WIDTH.fullmatch(password):
        raise _weak(
            f"a password is {least} to {LONGEST} half-width characters without spaces",
            f"パスワードは空白を含まない半角{least}~{LONGEST}文字です", "CRD-03",
        )  # fmt: skip
    missing = sorted(one for one in rules.classes if not _CLASSES[one].search(password))
    if missing:
        raise _weak(
            f"a password has at least one {', one '.join(sorted(rules.classes))}",
            "パスワードには英字・数字・記号のうち求められた種類をすべて含めてください", "CRD-03",
        )  # fmt: skip
    if rules.guessable == "refuse" and is_guessable(password, name):
        raise _weak(
            "this password is easily guessed: choose another",
            "推測されやすいパスワードです。別のものにしてください", "CRD-10",
        )  # fmt: skip


def is_guessable(password: str, name: str) -> bool:
    """Whether a password is the user's id, a common word dressed up, a run of keys, or monotone."""
    lower = password.lower()
    plain = name.lower()
    if len(plain) >= 3 and (plain in lower or plain[::-1] in lower):
        return True
    if len(set(lower)) < _FEWEST:
        return True
    letters = {"".join(filter(str.isalpha, one)) for one in (lower, lower.translate(_LIKE))}
    if letters & _WORDS:
        return True
    return any(
        len(one) >= _RUN and any(one in row or one in row[::-1] for row in _ROWS) for one in letters
    )


def digest(password: str, salt: bytes, cost: int = COST) -> str:
    """What is kept of a password."""
    key = _scrypt(password, salt, cost, _BLOCK, _LANES)
    parts = (base64.b64encode(part).decode() for part in (salt, key))
    return "$".join(("scrypt", str(cost), str(_BLOCK), str(_LANES), *parts))


def matches(password: str, kept: str) -> bool:
    """Whether `kept` is of this password; takes as long for whatever is given."""
    _, cost, block, lanes, salt, key = kept.split("$")
    made = _scrypt(password[:LONGEST], base64.b64decode(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(made, base64.b64decode(key)) and len(password) <= LONGEST


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "replace"), salt=salt, n=1 << cost, r=block, p=lanes,
        maxmem=_MEMORY, dklen=_KEY,
    )  # fmt: skip


def _weak(english: str, japanese: str, rule: str) -> Invalid:
    return Invalid(english, japanese, at="password", rule=rule)
