"""Commands with many options: declared as the fields of a struct, which is what the command is given."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


def flags(options: type[S], act: Callable[[S], None]) -> Callable[..., None]:
    """Return `act` as typer wants it: one keyword parameter for each field of `options`, all with defaults."""

    def command(**given: Any) -> None:  # noqa: ANN401  # typer has checked them against the struct's annotations
        act(options(**given))

    hints = get_type_hints(options, include_extras=True)
    usual = {field.name: getattr(options(), field.name) for field in msgspec.structs.fields(options)}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[name])
        for name, default in usual.items()
    ]
    vars(command)["__signature__"] = inspect.Signature(parameters)  # what `inspect`, and so typer, looks at first
    command.__doc__ = act.__doc__
    return command
