"""Compiles the rooms that turn bytes into FHIR, with mypyc, where a wheel asks for it.

The sources are the same ones that run as they are: what is compiled differs in speed alone. Other
rooms wait for the database or for OpenSSL, and would gain little.

    python hatch_build.py build/compiled               a copy of the package, compiled in place
    GATEWAY_COMPILED=1 python -m build --wheel          a wheel for this Python and this platform

A C compiler is needed, and mypy and setuptools (the extra `compile`).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HOT = (
    "gateway/audit/events.py",
    "gateway/model/batch.py",
    "gateway/model/codebook.py",
    "gateway/model/person.py",
    "gateway/model/uuids.py",
    "gateway/record/findings.py",
    "gateway/record/foreseen.py",
    "gateway/record/scopes.py",
    "gateway/record/staging.py",
    "gateway/standardize/**/*.py",
    "gateway/store/raw.py",
    "gateway/store/record/contents.py",
    "gateway/store/record/foreseen.py",
    "gateway/store/record/marks.py",
    "gateway/wire/fhir.py",
    "gateway/wire/hl7v2.py",
    "gateway/wire/hl7v2_check.py",
    "gateway/wire/hl7v2_field.py",
    "gateway/wire/japanese.py",
    "gateway/wire/memo.py",
)
_COMPILED = (".so", ".pyd")
_BUILD = """import sys
from mypyc.build import mypycify
from setuptools import setup
modules = mypycify(
    ["--config-file", sys.argv[1], *sys.argv[2:]],
    opt_level="1", debug_level="0", multi_file=True, group_name="gateway", target_dir="build/c",
)
setup(
    name="gateway", packages=[], py_modules=[], ext_modules=modules,
    script_args=["--quiet", "build_ext", "--inplace", "--parallel", "2", "--build-temp", "build/o"],
)
"""


def hot_files(root: Path) -> list[Path]:
    """The files that are compiled."""
    found = {path for pattern in HOT for path in root.glob(pattern)}
    return sorted(path for path in found if path.name != "__init__.py")


def compile_to(place: Path, root: Path) -> list[Path]:
    """A copy of the package with its hot modules compiled beside their sources; the new files.

    What was compiled before and has not changed stays. Raises CalledProcessError, and tells what
    mypyc or the C compiler said.
    """
    place.mkdir(parents=True, exist_ok=True)
    mirror(root / "gateway", place / "gateway")
    recipe = place / "recipe.py"
    if not recipe.is_file() or recipe.read_text("utf-8") != _BUILD:
        shutil.rmtree(place / "build", ignore_errors=True)  # it was compiled in another way
        recipe.write_text(_BUILD, "utf-8")
    hot = [str(path.relative_to(root)) for path in hot_files(root)]
    keep(place, hot)
    sys.stderr.write(f"compiling {len(hot)} modules: some two minutes\n")
    done = subprocess.run(  # noqa: S603
        [sys.executable, recipe.name, str(root.resolve() / "pyproject.toml"), *hot],
        cwd=place, env={**os.environ, "PYTHONPATH": "", "MYPY_FORCE_COLOR": "0"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stdout)
    done.check_returncode()
    return [
        path for path in place.rglob("*.*")
        if path.suffix in _COMPILED and "build" not in path.relative_to(place).parts
    ]  # fmt: skip


def keep(place: Path, hot: list[str]) -> None:
    """Let only these be compiled: what was before and is not now would miss its other half."""
    for path in {*place.glob("gateway/**/*.py")} - {place / name for name in hot}:
        _remove_compiled(path)


def mirror(source: Path, copy: Path) -> None:
    """Make a folder like another one; what was compiled of a text that changed or went is gone."""
    wanted = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for path in [*copy.rglob("*.py")]:
        if path.relative_to(copy) not in wanted:
            _remove(path)
    for name in wanted:
        here, there = source / name, copy / name
        if there.exists() and there.read_bytes() == here.read_bytes():
            continue
        _remove(there)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(here, there)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _remove_compiled(path)


def _remove_compiled(path: Path) -> None:
    for compiled in path.parent.glob(f"{path.stem}.*"):
        if compiled.suffix in _COMPILED:
            compiled.unlink()


class CompiledWheel(BuildHookInterface[Any]):
    """Puts the compiled modules into a wheel; not into an editable installation."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, where GATEWAY_COMPILED is set."""
        if version == "editable" or not os.environ.get("GATEWAY_COMPILED"):
            return
        root = Path(self.root)
        place = root / "build" / "compiled"
        for path in compile_to(place, root):
            build_data["force_include"][str(path)] = str(path.relative_to(place))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


if __name__ == "__main__":
    made = compile_to(Path(sys.argv[1]), Path(__file__).parent)
    sys.stdout.write(f"compiled {len(made)} modules into {sys.argv[1]}\n")
