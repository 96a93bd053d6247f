"""When networks run by oneDNN and when by XLA, and how the library for it is compiled."""

import subprocess
from pathlib import Path

import jaxlib.version
import pytest
import test_native
import test_vgg

from texjax import errors, features
from texjax.features import native_build, native_library


def test_without_the_library_xla_computes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(native_library, "places", lambda: [tmp_path / "none.so"])
    choice = native_library.choose("auto", "float32")
    assert (choice.name, "is not built" in choice.reason) == ("xla", True)
    with pytest.raises(errors.TexjaxError, match=r"is not built.*native_build.*features\.backend=auto"):
        test_native.extractor("onednn")
    assert test_native.extractor("auto")(test_vgg.random_image(34, 34), ("conv3_2",))["conv3_2"].shape == (1, 1, 6)


def test_a_file_that_is_no_library_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "other.so").write_text("no library")
    monkeypatch.setattr(native_library, "places", lambda: [tmp_path / "other.so"])
    assert "does not load" in native_library.choose("auto", "float32").reason


@test_native.built
def test_a_library_for_another_jaxlib_or_texjax_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The library has no calls, which are not looked for either."""
    source = tmp_path / "old.cc"
    interface = "int texjax_interface() { return 1; }"

    def reason(version: str) -> str:
        source.write_text(f'extern "C" {{ const char* texjax_jaxlib() {{ return "{version}"; }} {interface} }}')
        path = tmp_path / f"{version}.so"
        subprocess.run([native_build.command(path)[0], "-shared", "-fPIC", str(source), "-o", str(path)], check=True)
        monkeypatch.setattr(native_library, "places", lambda: [path])
        choice = native_library.choose("auto", "float32")
        assert choice.name == "xla"
        return choice.reason

    assert "another version of texjax" in reason(jaxlib.version.__version__)
    assert "0.4.38" in (of_jaxlib := reason("0.4.38")) and jaxlib.version.__version__ in of_jaxlib
    with pytest.raises(errors.TexjaxError, match=r"0\.4\.38"):
        native_library.choose("onednn", "float32")


@pytest.mark.parametrize(
    ("library", "precision", "name"),
    [
        (native_library.Library("3.5.0", avx512=True, bf16=True), "float32", "onednn"),
        (native_library.Library("3.5.0", avx512=True, bf16=True), "bf16", "onednn"),
        (native_library.Library("3.5.0", avx512=True, bf16=False), "float32", "onednn"),
        (native_library.Library("3.5.0", avx512=True, bf16=False), "bf16", "xla"),
        (native_library.Library("3.5.0", avx512=False, bf16=False), "float32", "xla"),
    ],
)
def test_auto_chooses_by_the_processor(
    monkeypatch: pytest.MonkeyPatch, library: native_library.Library, precision: str, name: str
):
    monkeypatch.setattr(native_library, "load", lambda: library)
    assert native_library.choose("auto", precision).name == name
    assert native_library.choose("onednn", precision).name == "onednn"
    assert native_library.choose("xla", precision).name == "xla"


def test_unknown_backends_are_refused():
    for build in (lambda: test_native.extractor("onedn"), lambda: features.random(backend="onedn")):
        with pytest.raises(errors.TexjaxError, match="did you mean 'onednn'"):
            build()


def test_a_compiler_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(native_library, "places", lambda: [tmp_path / "new" / "texjax.so"])
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    with pytest.raises(errors.EnvironmentFault, match=r"no-compiler does not run.*install g\+\+"):
        native_build.build()
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(errors.EnvironmentFault, match=r"texjax\[onednn\].*libdnnl-dev"):
        native_build.build()
    assert list((tmp_path / "new").iterdir()) == []
