"""Building and starting a peer: what it says when something is missing."""

from pathlib import Path

import pytest

from conformance.peers import java


@pytest.fixture
def peer(tmp_path: Path) -> java.Peer:
    folder = tmp_path / "sample"
    (folder / "src").mkdir(parents=True)
    (folder / "pom.xml").write_text("<project/>")
    return java.Peer(name="Sample", folder=folder, built=folder / "target")


def program(folder: Path, name: str, script: str) -> Path:
    """An executable of that name that stands for the real one."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_without_java_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, peer: java.Peer
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(java.Unavailable, match=r"(?s)Java 17 or newer.*Sample.*必要"):
        peer.command((), ())


@pytest.mark.parametrize(
    ("version", "enough"),
    [("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("21", True)],
)
def test_only_a_new_enough_java_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, peer: java.Peer, version: str, enough: bool
) -> None:
    made = program(tmp_path, "java", f"echo 'openjdk version \"{version}\"' >&2")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(java.Peer, "class_path", lambda peer: "classes")
    if enough:
        assert peer.command(("-Xmx1m",), ("run",))[0] == str(made)
    else:
        with pytest.raises(java.Unavailable):
            peer.command((), ())


def test_without_maven_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, peer: java.Peer
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(java.Unavailable, match=r"(?s)Maven.*必要"):
        peer.class_path()


def test_it_is_built_once_and_again_when_its_sources_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, peer: java.Peer
) -> None:
    jar, calls = tmp_path / "one.jar", tmp_path / "calls"
    jar.touch()
    listed = f"for last; do :; done; printf '{jar}' > \"${{last#-Dmdep.outputFile=}}\""
    program(tmp_path, "mvn", f'echo "$@" >> {calls}; {listed}')
    program(tmp_path, "javac", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert peer.class_path() == peer.class_path() == f"{peer.built / 'classes'}:{jar}"
    assert len(calls.read_text().splitlines()) == 1
    assert " -o " in calls.read_text()
    (peer.folder / "src" / "Main.java").write_text("class Main {}")
    peer.class_path()
    assert len(calls.read_text().splitlines()) == 2
    jar.unlink()
    peer.class_path()
    assert len(calls.read_text().splitlines()) == 3


def test_it_resolves_by_coordinates_where_off_line_is_not_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, peer: java.Peer
) -> None:
    calls = tmp_path / "calls"
    program(tmp_path, "mvn", f'echo "$@" >> {calls}; echo "no such jar"; exit 1')
    program(tmp_path, "javac", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(java.Unavailable, match=r"(?s)no such jar.*ログ"):
        peer.class_path()
    assert [" -o " in line for line in calls.read_text().splitlines()] == [True, False]
