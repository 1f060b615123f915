"""Cases for every actor: web services and secure nodes."""
