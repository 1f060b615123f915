"""Outpatient prescriptions: the 2D symbol (JAHIS1 to 10) and the national e-prescription."""
