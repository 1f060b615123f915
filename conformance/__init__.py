"""Black-box conformance cases against any running gateway."""
