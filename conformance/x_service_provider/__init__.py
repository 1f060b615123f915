"""Cases for an X-Service Provider: which assertions are taken, and which are not."""
