"""`texjax devices`: the devices of JAX, and what computes the networks."""

import jax
import pytest

from texjax.cli import devices, main
from texjax.features import native_library


@pytest.fixture
def library(monkeypatch) -> None:
    """As on a processor with AVX-512, but without bfloat16."""
    found = native_library.Library("2.6.3", avx512=True, bf16=False)
    monkeypatch.setattr(native_library, "load", lambda: found)
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")


def test_what_would_be_used_and_why(library):
    rows = dict(devices.rows())
    assert {f"{device.platform}:{device.id}" for device in jax.devices()} <= set(rows)
    assert rows["float32"].startswith("onednn: oneDNN 2.6.3")
    assert rows["bf16"] == "xla: the processor has no instructions for bfloat16."


def test_it_is_printed(library, capsys):
    with pytest.raises(SystemExit) as end:
        main.main(["devices"])
    assert end.value.code == 0
    assert "onednn: oneDNN 2.6.3" in capsys.readouterr().out
