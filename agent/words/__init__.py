"""What plain words mean, as far as fixed rules can tell: no language model."""
