"""Which identifiers belong to one person: domains, the cross-reference, exact matching."""
