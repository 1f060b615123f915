"""SS-MIX2 standardized storage: one file per data type, one table of them."""

from gateway.standardize.ssmix2.storage import FORMAT, is_stored

__all__ = ["FORMAT", "is_stored"]
