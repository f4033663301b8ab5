"""Benchmarks: each module is a command, `python -m benchmarks.NAME`, with a table as its output."""
