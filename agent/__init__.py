"""The controller and what the person sees: who decides."""
