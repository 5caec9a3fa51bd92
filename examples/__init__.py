"""Example jobs that do real work; switched off with EXAMPLES=0."""
