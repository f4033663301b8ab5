"""Data Cards and Model Cards: pydantic and YAML only."""
