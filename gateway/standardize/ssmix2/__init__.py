"""SS-MIX2 standardized storage: one file per data type, one table of them."""

from gateway.standardize.ssmix2.storage import FORMAT, check_place, stored_name

__all__ = ["FORMAT", "check_place", "stored_name"]
