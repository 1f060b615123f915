"""What the signature libraries may raise, how they are kept quiet, and where one is corrected.

They raise their own classes and, on hostile input, nearly everything that Python knows. Whoever
calls one of them catches `RAISED` at that call and makes a verdict of it.
"""

import logging
import zlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from asn1crypto import core
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from lxml import etree
from pyhanko_certvalidator.errors import (
    CRLValidationError,
    OCSPValidationError,
    PathError,
    ValidationError,
)

RAISED: tuple[type[BaseException], ...] = (
    Warning,  # where warnings are errors
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    OSError,
    MemoryError,
    zlib.error,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
    x509.AttributeNotFound,
    etree.LxmlError,
    PathError,
    ValidationError,
    CRLValidationError,
    OCSPValidationError,
)
"Every class that a library may raise on input; a verdict, never a defect."

_Value = TypeVar("_Value")


class NeverWaits(Exception):
    """A coroutine waited although nothing may be fetched: a defect of ours."""


def completed(coroutine: Coroutine[Any, Any, _Value]) -> _Value:
    """Run a library's coroutine to its end without an event loop.

    The path library is written for fetching. We hand everything in and fetch nothing, so its
    coroutines never wait.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: _Value = done.value
        return value
    coroutine.close()
    raise NeverWaits("a signature library wanted to wait")


def _silence() -> None:
    """Keep subject names and canonicalised documents out of the logs (G12)."""
    for name in ("pyhanko", "pyhanko_certvalidator"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
        logger.addHandler(logging.NullHandler())


def _as_read(written: Callable[..., bytes]) -> Callable[..., bytes]:
    """`dump` that gives back what was read, also where its length ends in the octet 0x80.

    asn1crypto takes every such header for an indefinite length (X.690 8.1.3.6) and encodes the
    value anew: one in 256. What it has read without knowing its type, as hcRole, then raises.
    """

    def dump(self: core.Asn1Value, force: bool = False) -> bytes:
        if not force and not self._trailer and (self._header or b"")[-1:] == b"\x80":
            contents = self.contents  # where it was changed, the header goes with this
            if self._header is not None:
                return bytes(self._header + contents)
        return written(self, force)

    return dump


def _correct() -> None:
    for kind in (core.Asn1Value, core.Choice, core.Primitive, core.Sequence, core.SequenceOf):
        kind.dump = _as_read(kind.dump)


_silence()
_correct()
