"""Trainers of one protocol, and the processes that they run in."""
