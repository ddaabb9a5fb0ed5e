"""The command line: thin, and quick to answer ``--help`` because nothing heavy is imported."""

from anglenas._cli.app import app, main

__all__ = ["app", "main"]
