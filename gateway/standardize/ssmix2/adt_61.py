"""ADT-61 allergies (アレルギー情報): ADT^A60, one file the whole list of one patient.

Every update rewrites the list, so an allergy that a newer file lacks has been removed.
"""

from gateway.standardize import allergies, persons
from gateway.standardize.message import HEADER, MessageReading

_PREFIX = "ssmix2/ADT-61|"
_EVN = frozenset({1, 2, 6})


def read(reading: MessageReading) -> None:
    """Read every allergy on the list."""
    message = reading.message
    reading.take(message.header, HEADER)
    for evn in message.all("EVN"):
        reading.take(evn, _EVN)
    pid = message.first("PID")
    if pid:
        persons.describe(reading, pid)
    for iam in message.all("IAM"):
        allergies.read_iam(reading, iam, _PREFIX)
    reading.scope = _PREFIX
