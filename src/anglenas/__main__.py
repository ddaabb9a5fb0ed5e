"""``python -m anglenas`` is the command ``anglenas``."""

from anglenas._cli import main

main()
