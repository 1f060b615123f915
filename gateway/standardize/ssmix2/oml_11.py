"""OML-11 laboratory results (検体検査結果): OUL^R22, one file a whole order."""

from gateway.standardize.laboratory import groups as laboratory
from gateway.standardize.message import MessageReading


def read(reading: MessageReading) -> None:
    """Read the results; the file replaces what an older one of the same order said."""
    laboratory.read(reading, complete=True)
