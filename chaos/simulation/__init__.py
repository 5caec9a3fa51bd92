"""A deterministic simulation: beats, workers, a database and a broker in one process, on a clock that only events move.

What decides is the product's own code: the policies, the schedules, the line of a job and the map of states. What lies
between is a model of the product's statements and of what may happen between any two of them. One seed gives one
history, byte for byte.
"""
