"""OMG-13 results of physiology (生理検査結果): ORU^R01, one file a whole order."""

from gateway.standardize.laboratory import groups as laboratory
from gateway.standardize.laboratory import observation
from gateway.standardize.message import MessageReading


def read(reading: MessageReading) -> None:
    """Read every result of the order."""
    laboratory.read(reading, complete=True, examination=observation.PHYSIOLOGY)
