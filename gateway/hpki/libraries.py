"""What the signature libraries may raise, and how they are kept quiet.

They raise their own classes and, on hostile input, nearly everything that Python knows. Whoever
calls one of them catches `RAISED` at that call and makes a verdict of it.
"""

import logging
import zlib
from collections.abc import Coroutine
from typing import Any, TypeVar

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


_silence()
