"""Fixtures for all tests; the servers come from the plugin in tests/servers.py."""
