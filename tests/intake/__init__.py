"""Intake without sockets: files that are about several people."""
