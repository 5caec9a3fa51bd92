"""A real PostgreSQL and a real Redis from pip wheels, and the supervisor behind `make run`.

Nothing of the product imports this package: with DATABASE_URL and REDIS_URL set it is never used.
"""
