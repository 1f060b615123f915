"""Random ids, drawn from the system many at a time: `app.py` hands them down.

Asking the system for each one costs more than all the rest of making it.
"""

import os
import secrets

from gateway.model import uuids

_AT_ONCE = 256
_drawn: list[str] = []
"Ids that were drawn and not used yet; a process never uses those of another."
os.register_at_fork(after_in_child=_drawn.clear)


def new_id() -> str:
    """A fresh random UUID (122 random bits, H-03)."""
    while True:
        try:
            return _drawn.pop()
        except IndexError:
            digits = os.urandom(16 * _AT_ONCE).hex()
            _drawn.extend(
                uuids.formatted(digits[start : start + 32], 4)
                for start in range(0, len(digits), 32)
            )


def new_secret() -> str:
    """A fresh secret of 256 random bits, as text for a cookie (K-04)."""
    return secrets.token_urlsafe(32)


_EASY = "abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "+-=/%#"
"Kinds of characters that are not taken for each other on paper."


def new_login_id(least: int = 0) -> str:
    """A fresh id to log in with: `least` or 12 letters and digits (about 60 random bits)."""
    every = "".join((_EASY[0], _EASY[2]))
    more = max(least, 12) - 1
    return secrets.choice(_EASY[0]) + "".join(secrets.choice(every) for _ in range(more))


def new_password() -> str:
    """A fresh temporary password of 16 characters (about 90 random bits), each kind among them."""
    every = "".join(_EASY)
    while True:
        drawn = "".join(secrets.choice(every) for _ in range(16))
        if all(any(one in kind for one in drawn) for kind in _EASY):
            return drawn
