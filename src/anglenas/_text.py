"""Texts: those of architectures and rank expressions read from left to right, those of errors."""

import re
from collections.abc import Callable


class Cursor:
    """A place in a text, which moves on as parts of the text are taken.

    Args:
        text: What is read.
        error: Makes the exception of a message, the text and the position of a mistake in it.
        hint: Ends the sentence "Expected ... here".
        skips_blanks: Whether blanks and line breaks between parts do not matter.

    Attributes:
        text: What is read, on one line.
        position: Index of the first character that was not taken yet.
    """

    def __init__(
        self,
        text: str,
        error: Callable[[str, str, int], Exception],
        hint: str = "",
        *,
        skips_blanks: bool = False,
    ) -> None:
        # A caret can point into one line alone.
        self.text = re.sub(r"\s", " ", text) if skips_blanks else text
        self.position = 0
        self._error, self._hint, self._skips_blanks = error, hint, skips_blanks
        self._move(0)

    @property
    def at_end(self) -> bool:
        """Whether all of the text was taken."""
        return self.position == len(self.text)

    def at(self, token: str) -> bool:
        """Whether a sign or a word comes next; a part of a longer word is none."""
        end = self.position + len(token)
        return self.text.startswith(token, self.position) and not (
            _in_word(token[-1:]) and _in_word(self.text[end : end + 1])
        )

    def take(self, token: str) -> bool:
        """Take a sign or a word if it comes next, and tell whether it did."""
        found = self.at(token)
        if found:
            self._move(len(token))
        return found

    def expect(self, *tokens: str) -> None:
        """Take signs and words that have to come next.

        Raises:
            Exception: One does not; points at its first wrong character, or at the wrong word.
        """
        for token in tokens:
            if not self.take(token):
                rest = self.text[self.position :]
                same = next(k for k in range(len(token) + 1) if token[: k + 1] != rest[: k + 1])
                offset = 0 if _in_word(token[-1:]) else same
                raise self.wrong(f"Expected {token!r} here{self._hint}.", self.position + offset)

    def expect_end(self, message: str) -> None:
        """Make sure that nothing is left.

        Raises:
            Exception: Something is; with the message.
        """
        if not self.at_end:
            raise self.wrong(message)

    def read(self, pattern: str | re.Pattern[str]) -> str:
        """Take what a pattern matches; empty if it matches nothing here."""
        match = re.compile(pattern).match(self.text, self.position)
        found = match.group() if match else ""
        self._move(len(found))
        return found

    def wrong(self, message: str, position: int | None = None) -> Exception:
        """The exception of a mistake: here, unless a position is given."""
        return self._error(message, self.text, self.position if position is None else position)

    def _move(self, count: int) -> None:
        self.position += count
        while self._skips_blanks and self.text[self.position : self.position + 1] == " ":
            self.position += 1


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def reason(error: object) -> str:
    r"""Why something failed, on one line, as it stands in parentheses in a message.

    >>> reason(ValueError("two\n  lines")), reason(EOFError())
    ('two lines', 'EOFError')
    """
    return " ".join(str(error).split()) or type(error).__name__
