"""Access model `matrix`: facility type x position x category, for data and functions."""

from gateway.model.caller import Caller
from gateway.model.category import Category
from gateway.model.consent import Denial, Purpose
from gateway.model.network import AccessPolicy

_OTHERS = "*"


def cell(access: AccessPolicy, caller: Caller, purpose: Purpose) -> frozenset[Category] | Denial:
    """The categories of the caller's cell, or why there is none (ACC-04)."""
    row = access.matrix.get(caller.facility_type)
    if row is None:
        return Denial("ACC-04", "no rights for this type of facility")
    position = caller.role
    if position not in access.positions:
        return Denial("ACC-04", "no rights for this position")
    categories = row.get(position)
    if categories is None:
        categories = row.get(_OTHERS)
        if categories is None:
            return Denial("ACC-04", "no rights for this position")
    functions = access.functions.get(caller.facility_type)
    if functions is not None:
        allowed = functions.get(position, functions.get(_OTHERS))
        if allowed is not None and purpose not in allowed:
            return Denial("ACC-04", "this position may not use this function")
    return categories
