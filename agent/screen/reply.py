"""The answer of a language model as a person reads it: markdown on a terminal, the plain words elsewhere."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from automl_gpt.agent.screen.text import faithful

ANSWER_LENGTH = 20_000
"""Characters of an answer that are shown."""


class Reply:
    """Foreign text that may be markdown. It can neither steer the terminal nor hide where a link leads."""

    def __init__(self, text: str) -> None:
        self._lines = faithful(text, ANSWER_LENGTH)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it for where it is shown."""
        if options.is_terminal and not options.ascii_only:
            yield _markdown("\n".join(self._lines))
        else:
            for line in self._lines:
                yield Text(line, no_wrap=not options.is_terminal, overflow="ignore")


def _markdown(text: str) -> RenderableType:
    """Return markdown in which HTML is text like any other, and a link is followed by its address."""
    from markdown_it import MarkdownIt
    from rich.markdown import Markdown

    shown = Markdown(text, hyperlinks=False, code_theme="ansi_dark")
    shown.parsed = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).parse(text)
    return shown
