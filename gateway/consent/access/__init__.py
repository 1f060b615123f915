"""Access models: one file each; a network whose model is not built is refused everything (G3)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.consent.access import matrix
from gateway.model.caller import Caller
from gateway.model.category import Category
from gateway.model.consent import Denial, Purpose
from gateway.model.network import AccessModel, AccessPolicy

Rights = Callable[[AccessPolicy, Caller, Purpose], frozenset[Category] | Denial]
"Answers which categories a caller may see, before consent and exclusions."


def _refusing(rule: str) -> Rights:
    """The answer of a model that this version cannot evaluate: no."""

    def rights(access: AccessPolicy, _caller: Caller, _purpose: Purpose) -> Denial:
        return Denial(rule, f"access model {access.model.value} is not available")

    return rights


MODELS: Mapping[AccessModel, Rights] = MappingProxyType(
    {
        AccessModel.MATRIX: matrix.cell,
        AccessModel.PERMITTED_LIST: _refusing("ACC-10"),
        AccessModel.ROOM: _refusing("ACC-09"),
        AccessModel.GRANT_CHAIN: _refusing("ACC-06"),
    }
)
