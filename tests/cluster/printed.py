"""The commands that cluster/README.md prints, each with the name that its test bears."""

from __future__ import annotations

import re
from pathlib import Path

from tests.shared import REPOSITORY

README = REPOSITORY / "cluster" / "README.md"


def commands(text: str) -> dict[str, str]:
    """Each distinct line of the blocks marked `sh`, by its name; a second one of a name gets `_2` behind it."""
    found: dict[str, str] = {}
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if not line.strip() or line.startswith("#") or line in found.values():
                continue
            name = base = name_of(line)
            number = 1
            while name in found:
                number += 1
                name = f"{base}_{number}"
            found[name] = line
    return found


def name_of(line: str) -> str:
    """The words before the first option: the program and what it is to do, as a Python name."""
    inner = re.sub(r'^eval "\$\((.*)\)"$', r"\1", line)
    words = []
    for word in inner.removeprefix("python ").removeprefix("-m ").split():
        if word.startswith("-") or "=" in word:
            break
        words.append(Path(word).name)
    limit = 3 if words[:2] == ["ray", "job"] else 2
    return re.sub(r"\W", "_", "_".join(words[:limit]))


def printed(name: str) -> str:
    """The command of this name, as README prints it."""
    return commands(README.read_text(encoding="utf-8"))[name]
