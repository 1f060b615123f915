"""What is compiled ahead: which files, and what mypyc would get wrong in silence."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def half_named(source: str, compiled: set[str]) -> Iterator[str]:
    """Modules that a file names both whole and by their parts, and that are not compiled.

    mypyc 2.4 takes an attribute of such a module from a place that nobody fills: None.
    """
    whole, parted = set[str](), set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            parted.add(node.module)
            whole.update(f"{node.module}.{one.name}" for one in node.names)
    yield from sorted((whole & parted) - compiled)


def test_no_compiled_file_names_a_module_by_halves(build: ModuleType) -> None:
    files = build.hot_files(ROOT)
    compiled = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files}
    assert "gateway.standardize.registry" in compiled
    found = {path.name: [*half_named(path.read_text(), compiled)] for path in files}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_a_module_named_by_halves_is_found() -> None:
    source = "from gateway import errors\nfrom gateway.errors import Refusal\n"
    assert [*half_named(source, set())] == ["gateway.errors"]
    assert [*half_named(source, {"gateway.errors"})] == []


def test_every_reader_is_compiled_with_what_it_inherits_from(build: ModuleType) -> None:
    """A class that is not compiled cannot inherit from one that is."""
    readers = (ROOT / "gateway" / "standardize").rglob("*.py")
    rest = {path for path in readers if path.name != "__init__.py"} - set(build.hot_files(ROOT))
    assert rest == set()


def test_a_copy_follows_its_source(build: ModuleType, tmp_path: Path) -> None:
    """What was compiled of an older text does not stay beside a new one."""
    source, copy = tmp_path / "gateway", tmp_path / "copy"
    (source / "room").mkdir(parents=True)
    for name in ("kept", "changed", "gone"):
        (source / "room" / f"{name}.py").write_text("A = 1\n")
    build.mirror(source, copy)
    for name in ("kept", "changed", "gone"):
        (copy / "room" / f"{name}.cpython-311.so").write_bytes(b"")
    (source / "room" / "changed.py").write_text("A = 2\n")
    (source / "room" / "gone.py").unlink()
    build.mirror(source, copy)
    assert sorted(path.name for path in (copy / "room").iterdir()) == [
        "changed.py", "kept.cpython-311.so", "kept.py",
    ]  # fmt: skip
    assert (copy / "room" / "changed.py").read_text() == "A = 2\n"


def test_what_is_no_longer_compiled_runs_as_it_is(build: ModuleType, tmp_path: Path) -> None:
    room = tmp_path / "gateway" / "room"
    room.mkdir(parents=True)
    for name in ("hot", "cold"):
        (room / f"{name}.py").write_text("A = 1\n")
        (room / f"{name}.cpython-311.so").write_bytes(b"")
    build.keep(tmp_path, ["gateway/room/hot.py"])
    assert sorted(path.name for path in room.iterdir()) == [
        "cold.py", "hot.cpython-311.so", "hot.py",
    ]  # fmt: skip
