"""One upload or document in, one receipt out; no sockets."""

from gateway.intake.documents import Filed, Filing
from gateway.intake.folders import FolderIntake
from gateway.intake.provided import Providing
from gateway.intake.signed import Signatures, Verifier
from gateway.intake.uploads import Arrival, Intake, OnDisk

__all__ = [
    "Arrival", "Filed", "Filing", "FolderIntake", "Intake", "OnDisk", "Providing", "Signatures",
    "Verifier",
]  # fmt: skip
