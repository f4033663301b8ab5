"""Processes of their own for heavy work: forked from a preloaded server, watched, and never outliving their parent."""
