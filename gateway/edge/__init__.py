"""Sockets: three doors, and the only async code beside the console."""
