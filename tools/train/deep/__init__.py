"""Trainers of neural networks for texts and pictures, on transformers, peft and accelerate."""
