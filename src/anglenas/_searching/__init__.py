"""Searching: from images to a ranked list of architectures.

Nothing is imported here: what was found is read without torch.
"""
