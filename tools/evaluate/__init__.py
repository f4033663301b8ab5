"""Metrics, comparison of logs, the look at the test split, the report."""
