"""The files of a new service, rendered from `templates/`.

The tree has the paths of the repository; NAME in a path is the service's name, and the ending `.jinja`, which keeps
the linters out, is removed. A placeholder is written `@{ name }@`, a condition `@% if compacted %@ … @% endif %@`, so
that Helm's and Compose's own braces pass through. A symbolic link stays one.
"""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.workbench.new_service.chart import chart_files
from services.workbench.new_service.new_file import NewFile

TREE = Path(__file__).with_name("templates")
ROWS = Path(__file__).with_name("rows")
NAME = "NAME"
SUFFIX = ".jinja"


def files(values: Mapping[str, object]) -> list[NewFile]:
    """Return every file of a service."""
    found = chart_files(str(values["name"]), str(values["description"]))
    for path in sorted(TREE.rglob("*")):
        place = Path(str(path.relative_to(TREE)).replace(NAME, str(values["name"])).removesuffix(SUFFIX))
        if path.is_symlink():
            found.append(NewFile(place, link=path.readlink()))
        elif path.is_file():
            found.append(NewFile(place, rendered(path, values)))
    return found


def owned(values: Mapping[str, object]) -> list[Path]:
    """Return the folders and files that belong to a service alone, by their paths in the repository."""
    name = str(values["name"])
    found = []
    for file in files(values):
        parts = file.path.parts
        own = [number for number, part in enumerate(parts) if part == name]
        found.append(Path(*parts[: own[0] + 1]) if own else file.path)
    return list(dict.fromkeys(found))


def rendered(path: Path, values: Mapping[str, object]) -> str:
    """Return a template with its placeholders filled in. Raises jinja2.UndefinedError for an unknown one."""
    environment = Environment(  # noqa: S701  # programs and configuration, not HTML
        loader=FileSystemLoader(path.parent),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        variable_start_string="@{",
        variable_end_string="}@",
        block_start_string="@%",
        block_end_string="%@",
        comment_start_string="@#",
        comment_end_string="#@",
    )
    return environment.get_template(path.name).render(values)
