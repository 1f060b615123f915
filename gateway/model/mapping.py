"""Mappings, as YAML gives them, to frozen dataclasses: exact keys, exact types, no guessing.

Used for network policies and for the profiles of neighbours. A key that is not there, a word that
is not possible, a value of another type stop the start and are named.
"""

import datetime as dt
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from enum import Enum
from typing import Any, Literal, TypeVar

import yaml

from gateway.errors import Malformed
from gateway.model.identifiers import Oid

_Section = TypeVar("_Section")
_LARGEST = 1024 * 1024


class MappingError(Exception):
    """A file of settings is wrong; the text names the key and what is possible there."""


class _Loader(yaml.SafeLoader):
    """The safe loader, without aliases and without keys that stand twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise MappingError("aliases (*name) are not read: write the value out")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise MappingError(f"key {key} stands twice: keep one")
        return super().construct_mapping(node, deep)


def parse(text: str) -> Mapping[str, Any]:
    """Read YAML text into a mapping; raises `MappingError`."""
    if len(text) > _LARGEST:
        raise MappingError("the file is larger than 1 MiB")
    try:
        mapping = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise MappingError(f"not YAML{where}") from error
    if not isinstance(mapping, dict):
        raise MappingError("the file must be a mapping of keys to values")
    return mapping


def read(kind: type[_Section], name: str, mapping: object) -> _Section:
    """Read one mapping as its dataclass; `name` says in messages where it stands."""
    if not isinstance(mapping, Mapping):
        raise MappingError(f"{name} must be a mapping")
    items = {item.metadata.get("key", item.name): item for item in fields(kind)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in items:
            raise MappingError(f"unknown key {name}.{key}: known are {', '.join(sorted(items))}")
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, item in items.items():
        if key in mapping:
            values[item.name] = _value(hints[item.name], f"{name}.{key}", mapping[key])
        elif item.default is MISSING and item.default_factory is MISSING:
            raise MappingError(f"{name}.{key} is missing")
    try:
        return kind(**values)
    except ValueError as error:
        raise MappingError(f"{name}: {error}") from error


def _value(hint: Any, name: str, value: object) -> Any:
    """One value as its declared type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        if value is None and types.NoneType in arguments:
            return None
        (hint,) = (part for part in arguments if part is not types.NoneType)
        return _value(hint, name, value)
    if origin is Literal:
        if isinstance(value, str) and value in arguments:
            return value
        possible = ", ".join(str(part) for part in arguments)
        raise MappingError(f"{name}: unknown value {value!r}; possible are {possible}")
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        key_kind, part_kind = arguments
        return types.MappingProxyType(
            {
                _value(key_kind, name, key): _value(part_kind, f"{name}.{key}", part)
                for key, part in value.items()
            }
        )
    if origin in (tuple, frozenset) and isinstance(value, list):
        parts = [_value(arguments[0], name, part) for part in value]
        if len(set(map(repr, parts))) != len(parts):
            raise MappingError(f"{name}: a value stands twice")
        return origin(parts)
    if isinstance(hint, type):
        return _simple(hint, name, value)
    raise _wrong(hint, name, value)


def _simple(hint: type, name: str, value: object) -> Any:
    """One value of a plain type."""
    if issubclass(hint, Enum):
        for member in hint:
            if isinstance(value, str) and member.value == value:
                return member
        possible = ", ".join(str(member.value) for member in hint)
        raise MappingError(f"{name}: unknown value {value!r}; possible are {possible}")
    if issubclass(hint, Oid):
        if not isinstance(value, str):
            raise MappingError(f"{name} must be an OID in quotes")
        try:
            return hint(value)
        except Malformed as error:
            raise MappingError(f"{name} is not an OID") from error
    if hint in (str, bool, int, dt.date) and type(value) is hint:
        if isinstance(value, int) and value < 0:
            raise MappingError(f"{name} must not be negative")
        return value
    if hasattr(hint, "__dataclass_fields__"):
        return read(hint, name, value)
    raise _wrong(hint, name, value)


def _wrong(hint: Any, name: str, value: object) -> MappingError:
    wanted = getattr(hint, "__name__", str(hint))
    found = type(value).__name__
    advice = " (quote it)" if wanted == "str" and not isinstance(value, Mapping | list) else ""
    return MappingError(f"{name} must be {wanted}, not {found}{advice}")
