"""The append-only events of runs, and the tables derived from them."""
