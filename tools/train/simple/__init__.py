"""Baselines that cost seconds, one for each task on texts and pictures: a heavy model has to beat them."""
