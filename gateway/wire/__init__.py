"""The grammar the profiles share: bytes to values and back, without sockets or databases."""
