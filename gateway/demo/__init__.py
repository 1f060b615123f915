"""The journey of `INTERFACES.md` section 6: one new patient, driven from outside like a peer."""

from gateway.demo.journey import run
from gateway.demo.outside import Step

__all__ = ["Step", "run"]
