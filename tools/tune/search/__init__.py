"""Which configuration to train next: openings, a portfolio, model-based search, the choice among models."""
