"""The front door: one file a command, loaded when it is called."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import sys

import click

from testcard import __version__
from testcard.cli.stream import Streams
from testcard.core.errors import TestcardError

__all__ = ["main"]

COMMANDS = ("run", "check", "load", "mock", "plan", "report", "compare", "history", "explain", "targets")


class _Commands(click.Group):
    """Finds a command in the module of its name; importing the others would only cost time."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click gives it)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (likewise)
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"testcard.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; of a name that is none, the nearest one is named."""
        if args and args[0] not in COMMANDS and (near := difflib.get_close_matches(args[0], COMMANDS, 1)):
            ctx.fail(f"no such command: {args[0]!r}; did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  testcard run                                    check and load the bundled mock
  testcard run --target aigateway                 check an API, with its key in TESTCARD_API_KEY
  testcard check --base-url http://127.0.0.1:4000/v1 --model my-model
  testcard load --target mock --rate 20 --duration 1m --slo 'p95<=1s'
  testcard explain limit.retry-after-honest
""",
)
@click.version_option(__version__, prog_name="testcard")
def testcard() -> None:
    """Does an image generation API keep its contract, and how fast does it really answer?

    Exit codes: 0 kept, 1 broken, 2 wrong command line or file, 3 not judged, 4 inconclusive, 5 an error of
    testcard's own, 130 interrupted. `testcard explain 3` says more.
    """


def main() -> None:
    """The console script. Ends the process with an exit code of interface and one sentence, never a traceback."""
    streams = Streams()
    code = _run()
    with contextlib.suppress(ValueError):  # closed meanwhile
        sys.stdout.flush()
    if streams.problem is not None:
        click.echo(f"testcard: standard output cannot be written: {streams.problem}", err=True)
        code = 5
    sys.exit(code)


def _run() -> int:
    try:
        code = testcard.main(standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except TestcardError as error:
        click.echo(f"testcard: {error}", err=True)
        return error.exit_code
    except Exception as error:
        if os.environ.get("TESTCARD_TRACEBACK"):
            raise
        click.echo(
            f"testcard: an error of testcard's own: {type(error).__name__}: {error}; "
            "set TESTCARD_TRACEBACK=1 to see where, and report it",
            err=True,
        )
        return 5
    return code if isinstance(code, int) else 0
