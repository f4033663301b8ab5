"""Load, profile, check, split and encode data."""
