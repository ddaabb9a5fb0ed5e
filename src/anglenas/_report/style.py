"""What operations are called in drawings, and of which kind they are."""

import re

from anglenas._report.canvas import KINDS, Kind

__all__ = ["kind_of", "label_of"]

_LABELS = {
    "skip_connect": "skip",
    "nor_conv": "conv",
    "sep_conv": "sep conv",
    "dil_conv": "dil conv",
    "avg_pool": "avg pool",
    "max_pool": "max pool",
}
_KNOWN = re.compile(rf"({'|'.join(_LABELS)})(?:_(\d+x\d+))?")
_WORDS = (("sep_conv", "sepconv"), ("dil_conv", "dilconv"), ("conv",), ("pool",),
          ("skip", "identity"), ("",))  # fmt: skip


def kind_of(operation: str) -> Kind:
    """The kind of an operation, by its name.

    >>> kind_of("sep_conv_3x3").name, kind_of("nor_conv_1x1").name, kind_of("mine").name
    ('separable', 'convolution', 'other')
    """
    return next(
        kind
        for kind, words in zip(KINDS, _WORDS, strict=True)
        if any(word in operation.lower() for word in words)
    )


def label_of(operation: str) -> str:
    """A short name for people; an operation that is not built in keeps its own.

    >>> label_of("nor_conv_3x3"), label_of("skip_connect"), label_of("my_conv_3x3")
    ('conv 3x3', 'skip', 'my_conv_3x3')
    """
    known = _KNOWN.fullmatch(operation)
    return " ".join(filter(None, (_LABELS[known[1]], known[2]))) if known else operation
