"""Claim files (レセプト電算, UKE): medical, DPC, dental and pharmacy."""

from gateway.standardize.uke.claims import FORMAT

__all__ = ["FORMAT"]
