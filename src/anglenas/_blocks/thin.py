"""Networks that have a thin form."""

from torch import nn


class Thinnable(nn.Module):
    """A network that knows its thin form, which ``regions`` is defined on."""

    def thin(self) -> nn.Module:
        """A new module: the first cell alone, one channel wide, without a stem.

        It takes ``(N, 1, 3, 3)``. Edges that do not reach the output are still computed.
        """
        raise NotImplementedError
