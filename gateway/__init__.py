"""IHE interoperability gateway for regional health networks."""
