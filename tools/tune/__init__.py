"""Search, forecasts, experience: what both rooms below stand on, and the tools that show what a run knows."""
