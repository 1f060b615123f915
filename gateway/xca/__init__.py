"""Cross-Community Access: what neighbouring communities may ask of our record, and how.

ITI TF-1: 18; ITI TF-2: 3.38, 3.39.
"""

from gateway.xca.iti38 import ITI_38
from gateway.xca.iti39 import ITI_39

__all__ = ["TRANSACTIONS"]

TRANSACTIONS = (ITI_38, ITI_39)
"Every transaction of this room."
