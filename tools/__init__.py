"""What can be done, by a person's script as well as by a model."""
