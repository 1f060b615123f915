"""Which mapping makes what of a file: the version of the gateway and the digest of its tables."""

import hashlib
from functools import cache
from importlib import metadata

from gateway.standardize import tables


@cache
def mapping_version() -> str:
    """`0.1.0+tables.3f2a…`: the same text, the same result for the same bytes."""
    digest = hashlib.sha256()
    for name, one in sorted(tables.digests().items()):
        digest.update(f"{name}={one}\n".encode())
    return f"{metadata.version('regional-gateway')}+tables.{digest.hexdigest()[:12]}"
