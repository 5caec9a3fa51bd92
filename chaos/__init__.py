"""The fault suite: real processes, real faults, and a witness that does not trust the ledger."""
