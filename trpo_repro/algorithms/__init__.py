"""Algorithms: each a function from the arrays of one iteration to those of the next."""
