"""Sockets: three doors, and the work that runs beside them. The only async code but the console."""
