"""The conversation with a language model: what it reads, what it may do, how its answers reach the person."""
