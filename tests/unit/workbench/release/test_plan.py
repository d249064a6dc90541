"""Sections of the changelog."""

import pytest

from services.workbench.release.plan import section

PAGE = """# Changelog
## Unreleased
### Added
- One.

## 1.2.0 - 2026-11-30
- Two.

## [1.1.0] - 2026-10-01
- Three.
"""


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Unreleased", "### Added\n- One."),
        ("1.2.0", "- Two."),
        ("1.1.0", "- Three."),
        ("1.2", ""),
        ("2.0.0", ""),
    ],
)
def test_a_section_is_found_by_its_version(title: str, text: str) -> None:
    assert section(PAGE, title) == text
