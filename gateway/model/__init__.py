"""The values everyone speaks: frozen, valid by construction, free of sockets and databases."""
