"""The command line; a command a file."""

from featprune.cli.entry import main

__all__ = ["main"]
