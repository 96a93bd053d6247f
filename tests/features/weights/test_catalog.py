"""The folders in which weight files are found, their order, and the message where there is no file."""

import hashlib

import pytest

from texjax import errors
from texjax.features.weights import catalog

KERAS = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Every folder in which weights are looked for, empty; the published checksums are those of b"vgg19", b"torch"."""
    folders = {name: tmp_path / name for name in ("project", "keras/models", "torch/hub/checkpoints", "cache/weights")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for variable in ("keras", "torch"):
        monkeypatch.setenv(f"{variable.upper()}_HOME", str(tmp_path / variable))
    monkeypatch.setenv("TEXJAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(catalog, "project_folder", lambda: tmp_path / "project")
    for name, data, algorithm in (("vgg19", b"vgg19", "md5"), ("vgg19-torchvision", b"torch", "sha256")):
        checksum = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        monkeypatch.setitem(catalog.FILES, name, catalog.FILES[name]._replace(checksum=checksum))
    return folders


def test_the_order_of_places(places, tmp_path):
    torch = places["torch/hub/checkpoints"] / "vgg19-dcbb9e9d.pth"
    expected = [
        (places["cache/weights"] / KERAS, b"trusted: verified when it came"),
        (torch, b"torch"),
        (places["keras/models"] / KERAS, b"vgg19"),
        (places["project"] / "vgg_conv.pth", b"of the user"),
        (places["project"] / KERAS, b"of the user"),
        (places["project"] / "vgg19.safetensors", b"of the user"),
        (tmp_path / "own.pth", b"of the user"),
    ]
    for path, data in expected:
        path.write_bytes(data)
        assert catalog.locate("vgg19", path if path.parent == tmp_path else None) == path


def test_find_prefers_own_folders_to_those_of_keras(places):
    for folder in ("keras/models", "cache/weights", "project"):
        (places[folder] / KERAS).write_bytes(b"vgg19")
        assert catalog.find("vgg19") == places[folder] / KERAS


def test_a_foreign_file_with_another_checksum_is_ignored(places):
    (places["keras/models"] / KERAS).write_bytes(b"home-made")
    (places["torch/hub/checkpoints"] / "vgg19-dcbb9e9d.pth").write_bytes(b"cut")
    with pytest.raises(errors.TexjaxError):
        catalog.locate("vgg19")
    assert catalog.find("vgg19") is None
    (places["keras/models"] / KERAS).write_bytes(b"vgg19")
    assert catalog.find("vgg19") == places["keras/models"] / KERAS


def test_without_a_file_the_message_says_how_to_get_one(places):
    with pytest.raises(errors.TexjaxError) as caught:
        catalog.locate("vgg19")
    message = str(caught.value)
    for part in ("texjax weights fetch vgg19", "https://storage.googleapis.com/", "80,134,624 bytes", "md5 "):
        assert part in message
    assert str(places["cache/weights"]) in message
    assert "config texture" in message
    assert message.count("\n") == 0


def test_explicit_folders_and_files(tmp_path):
    with pytest.raises(errors.TexjaxError, match=r"holds no known weights of vgg19.*vgg19-dcbb9e9d\.pth"):
        catalog.locate("vgg19", tmp_path)
    (tmp_path / KERAS).write_bytes(b"")
    assert catalog.locate("vgg19", str(tmp_path)) == tmp_path / KERAS
    with pytest.raises(errors.TexjaxError, match=r"nowhere\.h5 does not exist"):
        catalog.locate("vgg19", tmp_path / "nowhere.h5")
    with pytest.raises(errors.TexjaxError, match="did you mean 'vgg19'"):
        catalog.locate("vgg18")


def test_a_file_is_known_by_its_name_or_its_checksum(places, tmp_path):
    names = {"vgg16_features-amdegroot-88682ab5.pth": "amdegroot", "vgg19-d01eb7cb.pth": "caffe"}
    for name, preprocessing in names.items():
        (tmp_path / name).write_bytes(b"")
        known = catalog.identify(tmp_path / name)
        assert known is not None
        assert known.preprocessing == preprocessing
    (tmp_path / "renamed.pth").write_bytes(b"torch")
    assert catalog.identify(tmp_path / "renamed.pth") == catalog.FILES["vgg19-torchvision"]
    (tmp_path / "renamed.pth").write_bytes(b"other")
    assert catalog.identify(tmp_path / "renamed.pth") is None


def test_the_catalog_is_consistent():
    for name, file in catalog.FILES.items():
        assert name.startswith(file.network)
        algorithm, _, value = file.checksum.partition(":")
        assert file.checksum == "" or (len(value) in (8, 64) if algorithm == "sha256" else len(value) == 32)
        assert all(url.startswith("https://") for url in file.urls)
        # The hexadecimal digits in PyTorch's file names begin the file's SHA-256.
        if file.filename.endswith(".pth") and algorithm == "sha256":
            assert file.filename.removesuffix(".pth").endswith(value[:8])


def test_the_project_folder_holds_the_shipped_means():
    assert (catalog.project_folder() / "vgg19_channel_means.safetensors").is_file()
