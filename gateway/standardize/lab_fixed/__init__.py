"""Laboratory results in fixed records of 256 bytes."""

from gateway.standardize.lab_fixed.files import FORMAT

__all__ = ["FORMAT"]
