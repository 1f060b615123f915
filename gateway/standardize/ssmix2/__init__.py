"""SS-MIX2 standardized storage: one file per data type, one table of them."""

from gateway.standardize.ssmix2.extended import FORMAT as EXTENDED
from gateway.standardize.ssmix2.index import FORMAT as INDEX
from gateway.standardize.ssmix2.storage import FORMAT, check_place, stored_name
from gateway.standardize.ssmix2.transaction import FORMAT as TRANSACTIONS

__all__ = ["EXTENDED", "FORMAT", "INDEX", "TRANSACTIONS", "check_place", "stored_name"]
