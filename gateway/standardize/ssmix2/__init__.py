"""SS-MIX2 standardized storage: one file per data type, one table of them."""

from gateway.standardize.ssmix2.storage import FORMAT

__all__ = ["FORMAT"]
