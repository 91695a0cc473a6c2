"""Writes the table of values into helm/README.md, between its marks, from the comments of helm/values.yaml.

A comment `# --` and the lines after it describe the key below them. `python tests/tools/values_table.py` writes;
with `--check` it only says whether the table is up to date.
"""

import json
import re
import sys
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parents[2] / "helm"
BEGIN, END = "<!-- values: begin, made by tests/tools/values_table.py -->", "<!-- values: end -->"
KEY = re.compile(r"^( *)([\w-]+):(?: |$)")


def described(text):
    """Yields (path, description) of each key with a comment `# --` above it."""
    path, comment = [], None
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and not stripped.startswith("# ---"):
            if comment is not None:
                comment.append(stripped.lstrip("# "))
        elif match := KEY.match(line):
            depth = len(match[1]) // 2
            path = [*path[:depth], match[2]]
            if comment is not None:
                yield tuple(path), " ".join(comment)
            comment = None
        else:
            comment = None


def leaves(values, path=()):
    """Every path to something that is not a dictionary with keys."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def table():
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    rows = ["| Value | Default | What it is |", "|---|---|---|"]
    for path, description in described(text):
        default = values
        for key in path:
            default = default[key]
        # Sections with rows of their own have no default to show.
        inner = isinstance(default, dict) and any(other[: len(path)] == path != other for other, _ in described(text))
        shown = "" if inner else f"`{json.dumps(default, ensure_ascii=False)}`"
        rows.append(f"| `{'.'.join(path)}` | {shown} | {description.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def main():
    readme = CHART / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    made = f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
    if "--check" not in sys.argv:
        readme.write_text(made)
    elif made != text:
        sys.exit("helm/README.md is not what values.yaml says: run tests/tools/values_table.py")


if __name__ == "__main__":
    main()
