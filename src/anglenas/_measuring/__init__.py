"""Scores: what is measured, where it is kept, and who computes it.

Nothing is imported here: a command that only names its workers needs no torch.
"""
