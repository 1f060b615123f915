"""Which mapping makes what of a file: the version of the gateway and the digest of its tables."""

import hashlib
from functools import cache
from importlib import metadata

from gateway.standardize import tables


@cache
def mapping_version(codes: str = "") -> str:
    """`0.1.0+tables.3f2a…`: the same text, the same result for the same bytes.

    `codes` is the version of the code book, where masters or a map were loaded.
    """
    digest = hashlib.sha256()
    for name, one in sorted(tables.digests().items()):
        digest.update(f"{name}={one}\n".encode())
    shipped = f"{metadata.version('regional-gateway')}+tables.{digest.hexdigest()[:12]}"
    return f"{shipped}.codes.{codes}" if codes else shipped
