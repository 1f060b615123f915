"""One upload or document in, one receipt out; no sockets."""

from gateway.intake.documents import Filed, Filing
from gateway.intake.signed import Signatures, Verifier
from gateway.intake.uploads import Arrival, Intake, OnDisk

__all__ = ["Arrival", "Filed", "Filing", "Intake", "OnDisk", "Signatures", "Verifier"]
