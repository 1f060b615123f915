"""Foreign peers that the gateway is tried against: programs nobody here wrote."""
