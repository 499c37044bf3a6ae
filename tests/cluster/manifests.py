"""Kubernetes manifests against the fields that the API knows, closed: a misspelt one is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIELDS = json.loads((Path(__file__).parent / "kubernetes_fields.json").read_text())
"""Field names and types; its NOTICE says whence. `[T]`: list, `{T}`: map, `=a|b`: one of these words, `any`: unseen."""

PLAIN = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


def complaints(value: Any, kind: str, where: str = "") -> list[str]:
    """What the API would refuse in `value`, as `path: reason`."""
    if kind == "any":
        return []
    if kind.startswith("="):
        return [] if value in kind[1:].split("|") else [f"{where}: {value!r} is none of {kind[1:]}"]
    if kind in PLAIN:
        good = isinstance(value, PLAIN[kind]) and (kind == "boolean") == isinstance(value, bool)
        return [] if good else [f"{where}: {value!r} is no {kind}"]
    inner = kind[1:-1]
    if kind.startswith("["):
        if not isinstance(value, list):
            return [f"{where}: no list"]
        return [each for i, item in enumerate(value) for each in complaints(item, inner, f"{where}[{i}]")]
    if not isinstance(value, dict):
        return [f"{where}: no object"]
    if kind.startswith("{"):
        return [each for name, item in value.items() for each in complaints(item, inner, f"{where}.{name}")]
    return _of_type(value, kind, where)


def _of_type(value: dict[str, Any], kind: str, where: str) -> list[str]:
    known = FIELDS["types"][kind]
    found = [f"{where}.{name}: {kind} has no such field" for name in value if name not in known]
    found += [f"{where}.{name}: required" for name in FIELDS["required"].get(kind, []) if name not in value]
    for name in value.keys() & known.keys():
        found += complaints(value[name], known[name], f"{where}.{name}")
    return found
