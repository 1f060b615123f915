"""Backups: one encrypted file of everything, taken while the gateway serves, and its restore.

The file is a tar in the age format (M-01): rows of every table as of one moment, the documents they
refer to, the settings without private keys (M-03), and last a manifest that the installation's
checkpoint key signs. `take` writes it, `restore` proves it and brings it back (R-19).
"""
