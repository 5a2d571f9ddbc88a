"""The command line: the front door, with the verbs in the order of the work.

Nothing heavy is imported before a verb needs it, so `--help` answers at once. Results go to stdout,
progress and complaints to stderr. Exit codes: 0 fine, 1 a bug, 2 what was asked cannot be done,
3 the work was done and something in it failed, 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .commands import checking, data, looking, running, showing, site, submitting, training

__all__ = ["app", "main"]


class Verbs(TyperGroup):
    """Verbs in the order they are written; errors meant for people end in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("Interrupted; everything finished is kept. Run the same command again to go on.", err=True)
            raise typer.Exit(130) from None
        except Exception as error:
            errors = sys.modules.get(f"{__package__}.scenes.errors")  # not loaded: nobody can have raised one
            if errors is None or not isinstance(error, errors.ViewsweepError):
                raise
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    cls=Verbs,
    help="Benchmark 3D-aware image generators on view sweeps up to 360 degrees.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"viewsweep {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command()(looking.doctor)
app.command("list")(looking.list_names)
app.command()(looking.show)
app.command()(looking.fetch)
app.command()(data.prepare)
app.command()(training.train)
app.command()(training.convert)
app.command("check-method")(checking.check_method)
app.command("import")(data.import_scenes)
app.command()(running.sample)
app.command()(running.evaluate)
app.command()(running.run)
app.command()(running.status)
app.command()(showing.compare)
app.command()(showing.report)
app.command()(showing.export)
app.command()(checking.selfcheck)
app.command()(submitting.submit)
app.command()(checking.validate)
app.command()(submitting.verify)
app.add_typer(site.app, name="site")


def main() -> None:
    """What the `viewsweep` command calls."""
    app(prog_name="viewsweep")


if __name__ == "__main__":
    main()
