"""Cases for a Responding Gateway: patient discovery, query and retrieve between communities."""
