"""`gateway forms`."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.talk import configuration, fail, result, say

app = typer.Typer(help="Sign-up forms.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep `snippet` a command of its own."""


@app.command()
def snippet(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    locale: Annotated[str | None, typer.Option(help="Default: the form's first.")] = None,
) -> None:
    """Print the HTML to paste for a form: the script, and a plain form for where it cannot run."""
    from gateway.people import embedding

    config = configuration(context)
    if name not in config.forms:
        raise fail(f"there is no form {name}; there are: {', '.join(config.forms)}")
    locales = config.form_locales(name)
    if locale is not None and locale not in locales:
        raise fail(f"form {name} has no language {locale}; it has: {', '.join(locales)}")
    result(embedding.snippet(config, name, locale or locales[0]))
    origins = " ".join(config.forms[name].origins) or "none: name your page's"
    say(f"Pages that may use the script (origins in the configuration): {origins}")
    url = config.server.public_url
    say(f"With a Content-Security-Policy: script-src {url}; connect-src {url}; form-action {url}")
