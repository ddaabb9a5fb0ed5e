"""The command line: thin, and quick to answer ``--help`` because nothing heavy is imported."""

from anglenas.cli._app import app, main

__all__ = ["app", "main"]
