"""Nothing that is read from disk is executed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import trpo_repro

PACKAGE = Path(trpo_repro.__file__).parent


FORBIDDEN_MODULES = {"pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}
FORBIDDEN_CALLS = re.compile(
    r"^(eval|exec|compile|__import__|(.*\.)?(torch|yaml|joblib)\.((unsafe|full)_)?load(_all)?|(.*\.)?os\.system"
    r"|(.*\.)?instantiate)$"
)


def dangers(source: str) -> list[str]:
    """Return what in `source` could execute data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.Call):
            found += [name for name in [ast.unparse(node.func)] if FORBIDDEN_CALLS.match(name)]
            keywords = {(k.arg, ast.unparse(k.value)) for k in node.keywords}
            found += [str(k) for k in keywords & {("allow_pickle", "True"), ("shell", "True")}]
    return found


def test_nothing_in_the_package_executes_data() -> None:
    sources = sorted(PACKAGE.rglob("*.py"))
    assert len(sources) > 30
    assert {p: d for p in sources if (d := dangers(p.read_text(encoding="utf-8")))} == {}


def test_gate_sees_what_it_forbids() -> None:
    for line in (
        "import pickle",
        "from pickle import loads",
        "import numpy, pickle as p",
        "torch.load(path)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "hydra.utils.instantiate(config)",
        "instantiate(config)",
        "eval(text)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
        "os.system(line)",
    ):
        assert dangers(line), line
    assert dangers("load_arrays(path); yaml.safe_load(x); policy.evaluate(x); re.compile(x)") == []
