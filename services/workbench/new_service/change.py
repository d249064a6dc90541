"""A change of the repository's files that is made as a whole or not at all."""

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from services.console.failures import UsageError
from services.workbench.new_service.new_file import NewFile
from services.workbench.new_service.rows import Row


class Change(msgspec.Struct, frozen=True):
    """New files, the folders that they are in alone, and new contents of files that exist, by path."""

    new: Sequence[NewFile]
    owned: Sequence[Path]
    contents: Mapping[Path, str]


def edited(root: Path, rows: Sequence[Row], edit: Callable[[str, Row], str]) -> dict[Path, str]:
    """Return the contents of the rows' files after an edit of each row. Raises UsageError."""
    contents: dict[Path, str] = {}
    for row in rows:
        path = root / row.file
        contents[path] = edit(contents.get(path) or path.read_text(), row)
    return contents


def require_absent(root: Path, owned: Sequence[Path]) -> None:
    """Check that nothing would be overwritten. Raises UsageError."""
    if present := [str(path) for path in owned if (root / path).exists() or (root / path).is_symlink()]:
        raise UsageError(f"{', '.join(present)}: exists and is not overwritten: remove it, or choose another name")


def apply(root: Path, change: Change, then: Callable[[], None]) -> None:
    """Write everything and call `then`, which derives other files; if any of it fails, restore what was there."""
    before = {path: path.read_text() for path in change.contents}
    try:
        for file in change.new:
            _write(root / file.path, file)
        for path, content in change.contents.items():
            path.write_text(content)
        then()
    except BaseException:
        delete(root, change.owned)
        for path, content in before.items():
            path.write_text(content)
        with contextlib.suppress(UsageError):  # the first error is the one to report
            then()
        raise


def delete(root: Path, paths: Sequence[Path]) -> None:
    """Delete files and folders, and the folders that are empty then."""
    for path in paths:
        place = root / path
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        for folder in place.parents:
            if folder == root or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def _write(path: Path, file: NewFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.link is not None:
        path.symlink_to(file.link)
    else:
        path.write_text(file.text)
