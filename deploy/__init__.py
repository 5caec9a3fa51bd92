"""Deploying Carillon on servers or containers."""
