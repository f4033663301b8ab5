"""Experience: what finished trials of other runs say about data like these; shipped, imported, exported, recalled."""
