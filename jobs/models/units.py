"""Spans of time in seconds, for the bounds of fields."""

DAY = 86_400
YEAR = 366 * DAY
