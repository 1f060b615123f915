"""Blobs of a group: durable together, before the group's commit, or not there at all."""

import os
from pathlib import Path

import pytest

from gateway.errors import Busy
from gateway.store.blobs import Damaged, Folder
from gateway.store.together import together


def test_what_is_put_is_there_when_the_group_ends(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with together(folder) as blobs:
        put = [blobs.put_bytes(one) for one in (b"a", b"b", b"a")]
        assert list(folder.each()) == []
    assert put[0] == put[2] == folder.put_bytes(b"a")
    assert [folder.read(one.sha256) for one in put] == [b"a", b"b", b"a"]
    assert folder.sweep_temp() == 0


def test_what_is_asked_for_meanwhile_is_durable(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with together(folder) as blobs:
        first = blobs.put_bytes(b"a")
        assert blobs.read(first.sha256) == b"a"
        assert list(folder.each()) == [first.sha256]


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 1_000_003])
def test_bytes_are_read_whole_and_no_others(tmp_path: Path, size: int) -> None:
    folder = Folder(tmp_path)
    content = bytes(number % 251 for number in range(size))
    blob = folder.put_bytes(content)
    assert folder.read(blob.sha256) == content
    with folder.path(blob.sha256).open("ab") as stream:
        stream.write(b"!")
    with pytest.raises(Damaged, match="altered"):
        folder.read(blob.sha256)
    folder.path(blob.sha256).unlink()
    with pytest.raises(Damaged, match="missing"):
        folder.read(blob.sha256)


def test_a_group_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(KeyError), together(folder) as blobs:
        blobs.put_bytes(b"a")
        raise KeyError
    assert list(folder.each()) == []
    assert folder.sweep_temp() == 0


def test_an_older_copy_stands_until_the_new_one_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    before = folder.put_bytes(b"a")

    def fails(handle: int) -> None:
        raise OSError

    with pytest.raises(Busy), together(folder) as blobs:
        blobs.put_bytes(b"a")
        monkeypatch.setattr(os, "fsync", fails)
    assert folder.read(before.sha256) == b"a"
    assert folder.sweep_temp() == 0


def test_each_file_and_each_folder_is_fsynced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = os.fsync

    def noted(handle: int) -> None:
        seen.append(Path(f"/proc/self/fd/{handle}").readlink().as_posix())
        real(handle)

    folder = Folder(tmp_path)
    monkeypatch.setattr(os, "fsync", noted)
    with together(folder) as blobs:
        for number in range(200):  # more than are open at a time
            blobs.put_bytes(b"%d" % number)
        assert len(os.listdir("/proc/self/fd")) < 200  # noqa: PTH208
    files = [one for one in seen if "temporary" in one]
    assert len(files) == len(set(files)) == 200
    assert seen.count(str(tmp_path)) == 2
    assert len(list(folder.each())) == 200
