"""The files of the facilities' CSV layouts, `mappings/<name>.yaml`, from disk."""

from pathlib import Path

from gateway.model import csv_mapping
from gateway.model.csv_mapping import CsvMapping
from gateway.model.mapping import MappingError


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
