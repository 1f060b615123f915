"""The files of the facilities' CSV layouts, `mappings/<name>.yaml`, from disk."""

import logging
from pathlib import Path

from gateway.model import csv_mapping
from gateway.model.csv_mapping import CsvMapping
from gateway.model.mapping import MappingError
from gateway.settings import SettingsError

logger = logging.getLogger(__name__)


def load_mappings(folder: Path) -> tuple[CsvMapping, ...]:
    """Every mapping of an installation's folder; raises `MappingError` naming the file."""
    return tuple(load_mapping(path) for path in sorted((folder / "mappings").glob("*.yaml")))


def load_mapping(path: Path) -> CsvMapping:
    """One mapping file; raises `MappingError` naming it."""
    try:
        return csv_mapping.load(path.read_text("utf-8"), path.stem)
    except OSError as error:
        raise MappingError(f"mappings/{path.name}: cannot be read") from error
    except UnicodeDecodeError as error:
        raise MappingError(f"mappings/{path.name}: not UTF-8") from error
    except MappingError as error:
        raise MappingError(f"mappings/{path.name}: {error}") from error


def of_facility(mappings: tuple[CsvMapping, ...], facility: str) -> tuple[CsvMapping, ...]:
    """The mappings that one facility's files are read by."""
    return tuple(one for one in mappings if one.facility == facility)


class Shelf:
    """The mappings of an installation, read again when a file of them changed.

    A wrong file stops the start; one that becomes wrong later is logged and the last good ones
    stay in use, so that a slip of the pen does not stop intake.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._state()
        try:
            self._mappings = load_mappings(folder)
        except MappingError as error:
            raise SettingsError(str(error)) from error

    def of(self, facility: str) -> tuple[CsvMapping, ...]:
        """The mappings that one facility's files are read by."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._mappings = load_mappings(self._folder)
            except MappingError as error:
                logger.error("the last good mappings stay in use: %s", error)
        return of_facility(self._mappings, facility)

    def _state(self) -> tuple[tuple[str, int, int], ...]:
        files = sorted((self._folder / "mappings").glob("*.yaml"))
        return tuple((one.name, (found := one.stat()).st_mtime_ns, found.st_size) for one in files)
