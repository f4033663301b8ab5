"""Texts, pictures, boxes, questions: from a Data Card to memory-mapped examples."""
