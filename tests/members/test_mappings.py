"""The shelf of CSV mappings: read at the start, read again when a file changes."""

import os
from pathlib import Path

import pytest

from gateway.members.mappings import Shelf
from gateway.settings import SettingsError

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "mappings" / "clinic-b-lab.yaml"


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / "mappings" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_folder_there_is_none(tmp_path: Path) -> None:
    assert Shelf(tmp_path).of("clinic-b") == ()


def test_a_facility_has_its_own(tmp_path: Path) -> None:
    put(tmp_path, SAMPLE.name, SAMPLE.read_text("utf-8"))
    shelf = Shelf(tmp_path)
    assert [one.name for one in shelf.of("clinic-b")] == ["clinic-b-lab"]
    assert shelf.of("hospital-a") == ()


def test_a_new_file_is_seen(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    path = put(tmp_path, SAMPLE.name, SAMPLE.read_text("utf-8"))
    assert len(shelf.of("clinic-b")) == 1
    path.unlink()
    assert shelf.of("clinic-b") == ()


def test_a_wrong_file_stops_the_start_and_not_a_running_gateway(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(tmp_path, SAMPLE.name, SAMPLE.read_text("utf-8"))
    shelf = Shelf(tmp_path)
    path.write_text("no: such key\n", encoding="utf-8")
    os.utime(path, (1, 1))
    assert len(shelf.of("clinic-b")) == 1
    assert "clinic-b-lab.yaml" in caplog.text
    with pytest.raises(SettingsError, match=r"clinic-b-lab\.yaml"):
        Shelf(tmp_path)
