"""The house rules that no linter knows (`ARCHITECTURE.md` section 4, `STYLE.md`)."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GATEWAY = ROOT / "gateway"
LONGEST_FILE = 400


def _python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with its dotted name as written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {_name(path): ast.parse(path.read_text("utf-8")) for path in _python_files("gateway")}


def test_no_file_is_over_400_lines() -> None:
    long = {
        _name(path): lines
        for path in _python_files("gateway", "conformance", "tests", "bench")
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
    }
    assert not long


def test_async_lives_at_the_edge_and_the_console_only(trees: dict[str, ast.Module]) -> None:
    found = {
        name
        for name, tree in trees.items()
        if any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(tree))
    }
    assert {n for n in found if not n.startswith(("gateway/edge/", "gateway/console/"))} == set()


def test_a_permit_is_made_by_the_policy_only(trees: dict[str, ast.Module]) -> None:
    found = {
        name
        for name, tree in trees.items()
        for called, _ in _calls(tree)
        if called == "Permit" or called.endswith(".Permit")
    }
    assert found <= {"gateway/consent/policy.py"}


def test_a_withdrawal_is_made_by_the_ledger_only(trees: dict[str, ast.Module]) -> None:
    found = {
        name
        for name, tree in trees.items()
        for called, _ in _calls(tree)
        if called == "Withdrawal" or called.endswith(".Withdrawal")
    }
    assert {n for n in found if not n.startswith(("gateway/consent/", "gateway/store/"))} == set()


_CLOCKS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns",
    "datetime.datetime.now", "datetime.date.today",
}  # fmt: skip


def test_the_clock_is_read_in_app_only(trees: dict[str, ast.Module]) -> None:
    found = {
        f"{name}:{call.lineno}"
        for name, tree in trees.items()
        for called, call in _calls(tree)
        if called in _CLOCKS and name not in {"gateway/app.py", "gateway/demo/journey.py"}
    }
    assert found == set()


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    """A whole catch that cleans up and raises again swallows nothing."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    caught = handler.type
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(ast.unparse(name) in {"Exception", "BaseException"} for name in names)


def test_exceptions_are_caught_whole_only_at_the_door_and_the_edge(
    trees: dict[str, ast.Module],
) -> None:
    found = {
        f"{name}:{node.lineno}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    }
    allowed = ("gateway/audit/door.py", "gateway/audit/writer.py", "gateway/edge/")
    assert {place for place in found if not place.startswith(allowed)} == set()


def test_elements_are_never_tested_for_truth(trees: dict[str, ast.Module]) -> None:
    """`find(...) or default` drops an element without children (`STYLE.md` section 3)."""
    found = {
        f"{name}:{node.lineno}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.BoolOp)
        for value in node.values
        if isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "find"
        and isinstance(node.op, ast.Or)
    }
    assert found == set()


def test_sql_is_never_built_from_strings(trees: dict[str, ast.Module]) -> None:
    """`security.md` G-10: values are bound; a statement is a constant or an expression."""
    found = set()
    for name, tree in trees.items():
        for called, call in _calls(tree):
            ends = called.rsplit(".", 1)[-1]
            if ends in {"execute", "executemany", "exec_driver_sql", "text"} and call.args:
                first = call.args[0]
                if isinstance(first, ast.JoinedStr | ast.BinOp) and not name.startswith(
                    "gateway/store/schema/"
                ):
                    found.add(f"{name}:{call.lineno}")
    assert found == set()


def test_every_ignored_type_error_names_its_code() -> None:
    bare = re.compile(r"# type: ignore(?!\[)")
    found = {
        f"{_name(path)}:{number}"
        for path in _python_files("gateway", "conformance")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if bare.search(line)
    }
    assert found == set()


def test_nothing_is_left_for_later() -> None:
    found = {
        f"{_name(path)}:{number}"
        for path in _python_files("gateway", "conformance")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"\bTODO\b(?! #\d)|\bFIXME\b|\braise NotImplementedError\b", line)
    }
    assert found == set()


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    if not paths:
        pytest.skip("not a git checkout: there is no list of tracked files")
    return [path for path in paths if path.is_file()]


_HOSTS = (
    "pypi" + ".org", "python" + "hosted", "registry." + "npmjs", "repo1." + "maven",
    "repo." + "maven", "proxy." + "golang", "deb." + "debian",
)  # fmt: skip


def test_no_registry_and_no_path_of_one_machine_is_named() -> None:
    machine = re.compile(r"(?:^|[^A-Za-z0-9_.])/(?:work|root|farm)/")
    found = set()
    for path in _tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        if any(host in text for host in _HOSTS) or machine.search(text):
            found.add(_name(path))
    assert found == set()


def test_the_locks_carry_a_hash_for_every_package() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text("utf-8")
        assert "://" not in text
        blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
        assert all("--hash=sha256:" in block for block in blocks if not block.startswith("#"))
