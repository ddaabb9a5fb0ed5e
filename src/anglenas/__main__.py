"""``python -m anglenas`` is the command ``anglenas``."""

from anglenas.cli import main

main()
