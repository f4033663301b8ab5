"""Suggestions, forecasts, experience."""
