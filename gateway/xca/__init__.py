"""Cross-Community Access: what neighbouring communities may ask of our record, and how.

And what document sources of our own hand us. ITI TF-1: 10, 18; ITI TF-2: 3.38, 3.39, 3.41.
"""

from gateway.xca.iti38 import ITI_38
from gateway.xca.iti39 import ITI_39
from gateway.xca.iti41 import ITI_41

__all__ = ["TRANSACTIONS"]

TRANSACTIONS = (ITI_38, ITI_39, ITI_41)
"Every transaction of this room."
