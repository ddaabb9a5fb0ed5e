"""What was published by Yang et al. (WACV 2023), made again; a room of its own, on top of all.

Table 1 of the supplement, its figures 1 to 6, the random searches of the released code, and the
commands ``anglenas paper ...`` that make them. Nothing below knows of it.
"""

from anglenas._paper.commands import paper

__all__ = ["paper"]
