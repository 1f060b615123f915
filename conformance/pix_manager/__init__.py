"""Cases for a Patient Identifier Cross-reference Manager."""
