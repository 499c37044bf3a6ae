"""Fill a template of this folder: `python cluster/render.py TEMPLATE [SETTINGS.env] [NAME=VALUE ...] > FILE`.

A template names what differs between accounts as `${NAME}`. Values come from the settings file, then from the
arguments. Nothing is written while a name has no value or a value looks unfilled.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
"""Placeholders are in capitals, so that a shell's `$HOME` or CloudFormation's `${AWS::Region}` stay what they are."""


class UnfilledError(ValueError):
    """The template cannot be filled with these settings."""


def settings(lines: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE lines; empty ones and those that begin with `#` are skipped.

    Raises:
        UnfilledError: a line of another form.
    """
    found = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            raise UnfilledError(f"Line {number} of the settings is {text!r}; expected NAME=VALUE, NAME in capitals.")
        found[name] = value.strip().strip("\"'")
    return found


def names(template: str) -> list[str]:
    """The placeholders of a template, outside its comments, each once."""
    code = "\n".join(line for line in template.splitlines() if not line.lstrip().startswith("#"))
    return list(dict.fromkeys(NAME.findall(code)))


def render(template: str, values: dict[str, str]) -> str:
    """The template with every placeholder replaced.

    Raises:
        UnfilledError: a placeholder has no value, or one that is itself a placeholder.
    """
    missing = [name for name in names(template) if not values.get(name)]
    if missing:
        raise UnfilledError(
            f"No value for {', '.join(missing)}. Fill them in the settings file (`python cluster/account.py create` "
            "writes it) or give them as NAME=VALUE."
        )
    odd = [name for name in names(template) if re.search(r"[\n\"$<>]|TODO|CHANGE", values[name])]
    if odd:
        raise UnfilledError(f"{odd[0]}={values[odd[0]]!r} looks unfilled or has a quote, `$` or line break in it.")
    return NAME.sub(lambda match: values.get(match[1], match[0]), template)


def local_paths() -> dict[str, str]:
    """What lies in this checkout and in the home folder, by absolute path: `ray up` may be called from anywhere."""
    return {
        "DIST": str(HERE.parent / "dist"),
        "CONSTRAINTS": str(HERE.parent / "constraints.txt"),
        "INSTALL": str(HERE / "install.sh"),
        "AUTH_TOKEN": str(Path.home() / ".ray" / "auth_token"),
    }


def main(arguments: list[str]) -> int:
    """The command line; the filled template goes to standard output."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    files = [each for each in arguments if "=" not in each]
    given = [each for each in arguments if "=" in each]
    try:
        values = local_paths()
        for file in files[1:]:
            values |= settings(Path(file).read_text(encoding="utf-8").splitlines())
        values |= settings(given)
        print(render(Path(files[0]).read_text(encoding="utf-8"), values), end="")
    except (OSError, UnfilledError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
