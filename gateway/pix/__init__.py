"""PIX Manager and XCPD responder: who is who across identifier domains.

The table of the room; each file ends in its row (ITI-44, ITI-45, ITI-55).
"""

from gateway.pix.iti44 import ITI_44
from gateway.pix.iti45 import ITI_45
from gateway.pix.iti55 import ITI_55, ITI_55_DEFERRED

TRANSACTIONS = (ITI_44, ITI_45, ITI_55, ITI_55_DEFERRED)
"Every transaction of this room."
