"""CSV by a facility's mapping file, and the draft of such a file."""

from gateway.standardize.csv_mapped.files import FORMAT

__all__ = ["FORMAT"]
