"""The public interface: its names, that each is documented, and how its functions take their arguments."""

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import texjax
from texjax import config as configs
from texjax import errors, features, images, losses, measures, optimizers, pyramid, types

ROOT = Path(__file__).parent.parent
# A name that is added or taken away is a change of the interface: change it here too, and say so in CHANGELOG.md.
NAMES = {
    texjax: "analogy config errors features generate images iterate losses measure measures optimizers pyramid "
    "synthesize train transfer types",
    configs: "Config GROUPS PHOTOS defaults freeze load names overridden overridden_by_words parse_arg source_padding "
    "start_group sweep tiles",
    errors: "EnvironmentFault TexjaxError TexjaxWarning unknown",
    features: "compact random vgg16 vgg19",
    images: "EXTENSIONS MAX_PIXELS load load_with_alpha read_text resize save shape sources",
    losses: "analogy autocorrelation between content diversity gram guided_correspondence inter_frame mean mrf "
    "novelty shifted_gram sliced_wasserstein smoothness spectrum",
    measures: "MEANINGS SMALLEST axial bands check_sizes color_distance displacement_score fitting_octaves gram_errors "
    "largest_octaves measure_all periodicity seam wavelet_kl",
    optimizers: "adam lbfgs lbfgsb optax_lbfgs",
    pyramid: "MODES Octave TAPS check enlarge expand gaussian laplacian reduce size sizes stretch",
    types: "Additive AnyImage AnyImages Exemplars Extractor Feature Features Generator Grid Image Images Loss Mask "
    "Masks Minimizer Moments PRNGKey PRNGKeys Scalar Term View Weights Window",
}
# The modules whose functions compute; the others deal with files, configs and errors.
COMPUTING = (texjax, features, losses, measures, optimizers, pyramid)
# Functions whose method no paper describes.
OUR_OWN = """between check check_sizes compact fitting_octaves iterate largest_octaves measure measure_all periodicity
seam size sizes stretch"""


def public(module: ModuleType) -> list[str]:
    """The names in `__all__`, or else those that the module itself defines."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    names = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return sorted(name for name in names if not name.startswith("_"))


def documented(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public functions and classes of a module, and the public methods of the latter."""
    for name in public(module):
        value = getattr(module, name)
        if inspect.isfunction(value) or (inspect.isclass(value) and value.__module__ == module.__name__):
            yield name, value
        if inspect.isclass(value) and value.__module__ == module.__name__:
            methods = [(key, method) for key, method in vars(value).items() if inspect.isfunction(method)]
            yield from ((f"{name}.{key}", method) for key, method in methods if not key.startswith("_"))


FUNCTIONS = [
    pytest.param(module, value, id=f"{module.__name__}.{name}")
    for module in COMPUTING
    for name, value in documented(module)
    if inspect.isfunction(value)
]
every_module = pytest.mark.parametrize("module", NAMES, ids=lambda module: module.__name__)
every_function = pytest.mark.parametrize(("module", "function"), FUNCTIONS)


def doc(function: Callable[..., Any], *modules: ModuleType) -> str:
    """The docstring, with those of modules where a convention may stand once for all of their functions."""
    return "\n".join([inspect.getdoc(function) or "", *(module.__doc__ or "" for module in modules)])


def home(function: Callable[..., Any]) -> ModuleType:
    """The module that defines a function."""
    return sys.modules[function.__module__]


@every_module
def test_the_public_names(module: ModuleType):
    assert public(module) == NAMES[module].split()
    assert all(hasattr(module, name) for name in public(module))


@every_module
def test_everything_public_has_a_docstring(module: ModuleType):
    assert module.__doc__
    for name, value in documented(module):
        text = value.__doc__ or ""
        # A NamedTuple or a dataclass without one has its signature there.
        assert re.match(r"\S.*[.:]", text) and not text.startswith(f"{name}("), name


@every_function
def test_arrays_have_shapes_and_units(module: ModuleType, function: Callable[..., Any]):
    """In the docstring of the function or, once for all, of its module; or where it refers to another function."""
    annotations = " ".join(str(p.annotation) for p in inspect.signature(function).parameters.values())
    if not re.search(r"jaxtyping|ndarray", annotations) or "as for `synthesize`" in doc(function):
        return
    text = doc(function, module, home(function))
    assert re.search(r"\[[nh][\w', *]*\]", text), "no shape such as [h, w, 3]"
    assert re.search(r"\[0, 1\]|pixel|px", text), "no units"


@every_function
def test_errors_are_documented(module: ModuleType, function: Callable[..., Any]):
    source = textwrap.dedent(inspect.getsource(function))
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(ast.parse(source)))
    body = source.replace(function.__doc__ or "", "").partition("->")[2]
    if raises or re.search(r"\b(validate\.\w+|_?check\w*)\(", body):
        assert re.search(r"Raises:\s+TexjaxError|Raises? TexjaxError|errors are those of", doc(function))


@every_function
def test_methods_name_their_source(module: ModuleType, function: Callable[..., Any]):
    text = doc(function, home(function), module)
    refers = "are those of `" in doc(function)
    own = function.__name__ in OUR_OWN.split()
    assert own or refers or re.search(r"\b(19|20)\d\d\b|arXiv|doi", text)


@every_function
def test_settings_are_given_by_keyword(module: ModuleType, function: Callable[..., Any]):
    """What has a default is a setting, but for the path of weights; a key comes first."""
    parameters = inspect.signature(function).parameters
    settings = {p.name for p in parameters.values() if p.default is not p.empty and p.kind is not p.KEYWORD_ONLY}
    assert settings <= {"weights"}
    assert "key" not in parameters or next(iter(parameters)) == "key"


def test_one_version():
    version = re.escape(texjax.__version__)
    assert re.search(rf"^version: {version}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    first = re.search(r"^## \[(.+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first and re.fullmatch(f"{version}|Unreleased", first[1])


def test_pages_are_made_of_the_docstrings(tmp_path: Path):
    """By the command of `make docs`, whose warnings are errors."""
    pytest.importorskip("pdoc", reason="pdoc is not installed; it is in the group dev")
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    modules = re.search(r"^DOCS := (.*)$", makefile, re.MULTILINE)
    command = re.search(r"^\t\$\(BIN\)/python (-W error .*) -o site \$\(DOCS\)$", makefile, re.MULTILINE)
    assert modules and command
    flags = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command[1])]
    done = subprocess.run(
        [sys.executable, *flags, "-o", str(tmp_path), *modules[1].split()], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for module in NAMES:
        page = (tmp_path / f"{module.__name__.replace('.', '/')}.html").read_text()
        for name, value in documented(module):
            assert f'id="{name}"' in page, f"{module.__name__}.{name}"
            if inspect.isfunction(value) and "Args:" in doc(value):
                assert "Arguments:</h6>" in page
