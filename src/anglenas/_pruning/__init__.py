"""Pruning: from a supernet to one architecture, an operation after the other.

Nothing is imported here: what was found is read without torch.
"""
