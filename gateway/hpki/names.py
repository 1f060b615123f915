"""Names of certificates, compared as RFC 5280 7.1 says."""

from functools import lru_cache

from asn1crypto import parser, x509


@lru_cache(maxsize=256)
def _comparable(contents: bytes) -> str:
    return str(x509.Name.load(parser.emit(0, 1, 16, contents)).hashable)


def comparable(name: x509.Name) -> str:
    """A name in a form that can be compared, however it is encoded."""
    return _comparable(name.chosen.contents)


def same_name(one: x509.Name, other: x509.Name) -> bool:
    """Whether two names are the same; nearly always their bytes are."""
    return bool(one.chosen.contents == other.chosen.contents) or comparable(one) == comparable(
        other
    )
