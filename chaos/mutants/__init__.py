"""Whether the tests notice: each safeguard is taken away in turn, and the tests named for it must fail."""
