"""Templates read what is in the values, the values have nothing that no template reads, and the README says what is so."""

import concurrent.futures
import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from chart import CHART, ROOT, SETS, TOOLS, merged, template
from test_chart_config import resolve, settings_of_the_schema

sys.path.insert(0, str(ROOT / "tests/tools"))
import values_table  # noqa: E402

TEMPLATES = [path for path in sorted((CHART / "templates").rglob("*")) if path.suffix in (".yaml", ".tpl", ".txt")]
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
WORD = re.compile(
    r"""
    "(?:[^"\\]|\\.)*"                        # a text
    | (?P<name>\$\w*)?(?P<path>(?:\.\w+)+)   # .a.b, $.a, $name.a
    | (?P<bare>\$\w*) | (?P<dot>\.) | (?P<word>[\w-]+) | (?P<sign>:=|=|[(),|])
    """,
    re.VERBOSE,
)
NOT_VALUES = None
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def value_at(path):
    here = VALUES
    for key in path:
        here = here[key]
    return here


class Reader:
    """Follows `with`, `range`, `define` and variables through a template, and notes each path of values that is read."""

    def __init__(self, text):
        self.read = set()
        # What `.` is: a path of values, () for the chart's root, or unknown. With what ends each block.
        self.stack = [("file", ())]
        self.names = {"$": ()}
        for action in re.findall(r"\{\{-?\s*(.*?)\s*-?\}\}", text, re.DOTALL):
            self.follow(action)

    def follow(self, action):
        if action.startswith("/*"):
            return
        head, _, rest = action.partition(" ")
        if head == "end":
            self.stack.pop()
        elif head == "define":
            self.stack.append((head, ()))
        elif head in ("if", "with", "range"):
            found = self.note(rest)
            single = re.fullmatch(r"(?:\$\w+ := )?(\$?\w*(?:\.\w+)+)", rest)
            inside = self.stack[-1][1]
            if head == "with":
                inside = found[-1] if single else NOT_VALUES
            elif head == "range":
                inside = NOT_VALUES
            self.stack.append((head, inside))
        elif head == "else":
            kind, _ = self.stack.pop()
            self.stack.append((kind, self.stack[-1][1]))
            if rest:
                self.note(rest.partition(" ")[2])
        else:
            assigned = re.match(r"(\$\w+) :?= (.*)", action, re.DOTALL)
            if assigned:
                found = self.note(assigned[2])
                whole = re.fullmatch(r"\$?\w*\.?[\w.]*", assigned[2].strip())
                self.names[assigned[1]] = found[-1] if found and whole else NOT_VALUES
            else:
                self.note(action)

    def note(self, expression):
        found = []
        for match in WORD.finditer(expression):
            if match["path"]:
                base = self.names.get(match["name"], NOT_VALUES) if match["name"] else self.stack[-1][1]
                path = NOT_VALUES if base is NOT_VALUES else (*base, *match["path"][1:].split("."))
            elif match["dot"]:
                path = self.stack[-1][1]
            elif match["bare"]:
                path = self.names.get(match["bare"], NOT_VALUES)
            else:
                continue
            found.append(path)
            if path and path[0] == "Values" and len(path) > 1:
                self.read.add(path[1:])
        # `dig "a" "b" default .Values.config` and `get .Values.a "b"` with texts.
        for keys in re.findall(r'dig ((?:"\w+" )+)', expression):
            names = re.findall(r'"(\w+)"', keys)
            self.read.add(("config", *names))
        for name in re.findall(r'index (?:\$\.Values|\$v)\.(\w+) \$kind', expression):
            self.read |= {(name, kind) for kind in VALUES[name]}
        return found


def read_by_templates():
    return {(path.name, read) for path in TEMPLATES for read in Reader(path.read_text()).read}


def known(path):
    """Whether the values, or the settings of the binary, have it."""
    here = VALUES
    for at, key in enumerate(path):
        if path[0] == "config" and at == 1:
            settings = settings_of_the_schema()
            return path[1] in settings and all(key in settings[path[1]] for key in path[2:3]) and len(path) < 4
        if not isinstance(here, dict) or key not in here:
            return False
        here = here[key]
    return True


def test_templates_read_what_there_is():
    read = read_by_templates()
    assert len(read) > 100
    assert not {(name, ".".join(path)) for name, path in read if not known(path)}


# --- Every value has an effect: each is given a value of its own, and that is looked for in what is rendered


def schema_of(path):
    here = SCHEMA
    for key in path:
        here = resolve(here.get("properties", {}).get(key, here.get("additionalProperties", {})))
    return here


def marked(path, number, value):
    """A value that is found nowhere else."""
    mark = f"mark-{number}-"
    if isinstance(value, bool) or "enum" in schema_of(path):
        return value
    if isinstance(value, int):
        return 40_000 + number
    if isinstance(value, list):
        return [mark] if resolve(schema_of(path).get("items", {"type": "string"}))["type"] == "string" else [{"name": mark}]
    return {mark: mark} if isinstance(value, dict) else mark


def built(leaves):
    values = {}
    for path, value in leaves.items():
        here = values
        for key in path[:-1]:
            here = here.setdefault(key, {})
        here[path[-1]] = value
    return values


LEAVES = {path: value_at(path) for path in values_table.leaves(VALUES) if path[0] != "config"}
# Names of alerts, which have to exist: see test_monitoring.py.
ELSEWHERE = {("prometheusRule", "disabled")}
POSTGRES = {("persistence", "enabled"): False, ("migration", "mode"): "job", ("autoscaling", "enabled"): False}
SITUATIONS = [
    {**POSTGRES, ("image", "digest"): "", ("fullnameOverride",): ""},
    {**POSTGRES, ("autoscaling", "enabled"): True},
    {("persistence", "enabled"): True, ("persistence", "existingClaim"): "", ("replicas",): 1,
     ("secrets", "databaseUrl", "existingSecret"): "", ("migration", "databaseUrl", "existingSecret"): "",
     ("autoscaling", "enabled"): False},
    {("persistence", "enabled"): True, ("replicas",): 1, ("secrets", "databaseUrl", "existingSecret"): "",
     ("migration", "databaseUrl", "existingSecret"): "", ("autoscaling", "enabled"): False},
]  # fmt: skip


def situation(said):
    """All that can be switched on is on, and every value has its mark, but for what is said."""
    on = {path: True for path, value in LEAVES.items() if value is False}
    marks = {path: marked(path, number, value) for number, (path, value) in enumerate(LEAVES.items())}
    return merged(built({**marks, **on, **said}), {"config": {"server": {"insecure_no_auth": True}}})


def test_every_value_has_an_effect():
    seen = ""
    for said in SITUATIONS:
        # The marks are no numbers of a cluster, nor names of anything.
        done = template("--skip-schema-validation", values=situation(said))
        assert done.returncode == 0, done.stderr
        seen += done.stdout
    without = []
    for number, (path, value) in enumerate(LEAVES.items()):
        mark = marked(path, number, value)
        if mark != value and path not in ELSEWHERE:
            word = str(mark) if isinstance(mark, int) else f"mark-{number}-"
            if word not in seen:
                without.append(".".join(path))
    assert not without


def test_every_switch_has_an_effect():
    switches = [path for path, value in LEAVES.items() if isinstance(value, bool) and path[0] != "persistence"]
    assert len(switches) > 15

    def render(said):
        return template("--skip-schema-validation", values=situation({**POSTGRES, **said})).stdout

    with concurrent.futures.ThreadPoolExecutor() as pool:
        whole = pool.submit(render, {})
        other = {path: pool.submit(render, {path: path == ("autoscaling", "enabled")}) for path in switches}
    assert whole.result()
    for path, future in other.items():
        assert future.result() and future.result() != whole.result(), ".".join(path)


def test_every_value_is_described_and_in_the_schema():
    passed_on = {("resources",), ("migration", "resources"), ("podSecurityContext",), ("securityContext",), ("probes",)}
    described = {path for path, _ in values_table.described((CHART / "values.yaml").read_text())}
    for leaf in values_table.leaves(VALUES):
        above = [leaf[:length] for length in range(1, len(leaf) + 1)]
        assert any(path in described or path in passed_on for path in above[-2:] + above[:2]), ".".join(leaf)
        here = SCHEMA
        for key in leaf:
            if "properties" not in here:
                break
            assert key in here["properties"], ".".join(leaf)
            here = resolve(here["properties"][key])


def test_the_readme_has_the_values():
    command = [sys.executable, ROOT / "tests/tools/values_table.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_readme_speaks_of_what_there_is():
    text = (CHART / "README.md").read_text().split(values_table.BEGIN)[0]
    for path in re.findall(r"`((?:config|secrets|migration|networkPolicy|persistence|image)\.[\w.]+)`", text):
        assert known(tuple(path.split("."))), path
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (CHART / target).exists(), target


@pytest.mark.parametrize("form", re.findall(r"^helm install registry ./helm (.*?)\n(?!  )", (CHART / "README.md").read_text(), re.M | re.S))
def test_the_lines_of_the_readme(form):
    arguments = form.replace("\\\n", " ").split()
    arguments = [argument for argument in arguments if argument not in ("--wait", "```")]
    done = template(*[argument.replace("REPOSITORY", "example/registry") for argument in arguments])
    assert done.returncode == 0, done.stderr


def test_notes(tmp_path):
    """What helm says at the end: `helm template` leaves it out, so it is rendered as if it were a resource."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    notes = (chart / "templates/NOTES.txt").read_text()
    (chart / "templates/notes.yaml").write_text(f"text: |\n{{{{ include \"notes\" . | indent 2 }}}}\n{{{{- define \"notes\" }}}}{notes}{{{{ end }}}}")
    said = {}
    for path in SETS:
        done = subprocess.run(
            [TOOLS / "helm4", "template", "trial", chart, "--values", path, "--show-only", "templates/notes.yaml"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said[path.name.removesuffix("-values.yaml")] = yaml.safe_load(done.stdout)["text"]
    assert all("grpcurl -plaintext" in text and "no authentication" in text for text in said.values())
    assert "Without secrets.secretsKey nobody can subscribe" in said["postgres"]
    assert "Without secrets.secretsKey" not in said["external"] + said["sqlite"] + said["everything"]
    assert "https://trust.example.com/organizations/" in said["ingress-tls"]
    assert "migration.mode is none" in said["external"] and "migration.mode" not in said["sqlite"]
    assert "stays when the release is removed" in said["sqlite"]
