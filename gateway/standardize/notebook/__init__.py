"""Medication notebook (電子版お薬手帳, JAHISTC01 to 08)."""

from gateway.standardize.notebook.files import FORMAT

__all__ = ["FORMAT"]
