"""Decisions as pure functions: facts in, decision out. What they decide is written elsewhere."""
