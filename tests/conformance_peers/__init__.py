"""Tests of what starts the foreign peers."""
