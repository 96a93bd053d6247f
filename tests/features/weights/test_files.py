"""Weight files that are written here byte by byte are read into the same numbers; errors name the bad ones."""

import io
import resource
import struct
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
import safetensors.numpy

from texjax import errors
from texjax.features.weights import files, origins, torch_files

# Position in torchvision's `features` -> convolution, as torchvision prints its networks.
POSITIONS = {
    "vgg19": {
        **{0: "conv1_1", 2: "conv1_2", 5: "conv2_1", 7: "conv2_2"},
        **{10: "conv3_1", 12: "conv3_2", 14: "conv3_3", 16: "conv3_4"},
        **{19: "conv4_1", 21: "conv4_2", 23: "conv4_3", 25: "conv4_4"},
        **{28: "conv5_1", 30: "conv5_2", 32: "conv5_3", 34: "conv5_4"},
    },
    "vgg16": {
        **{0: "conv1_1", 2: "conv1_2", 5: "conv2_1", 7: "conv2_2"},
        **{10: "conv3_1", 12: "conv3_2", 14: "conv3_3", 17: "conv4_1", 19: "conv4_2", 21: "conv4_3"},
        **{24: "conv5_1", 26: "conv5_2", 28: "conv5_3"},
    },
}


class Global(NamedTuple):
    module: str
    name: str


class Call(NamedTuple):
    function: Global
    arguments: tuple[Any, ...]


class Persistent(NamedTuple):
    pid: tuple[Any, ...]


def opcodes(value: Any) -> bytes:
    """A value as opcodes of pickle's protocol 2, so that names of torch can be written without torch."""
    match value:
        case Global():
            return f"c{value.module}\n{value.name}\n".encode()
        case Call():
            return opcodes(value.function) + opcodes(value.arguments) + b"R"
        case Persistent():
            return opcodes(value.pid) + b"Q"
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            size = (value.bit_length() + 8) // 8
            return (
                b"J" + struct.pack("<i", value) if size <= 4 else bytes((0x8A, size)) + value.to_bytes(size, "little")
            )
        case str():
            return b"X" + struct.pack("<I", len(value)) + value.encode()
        case tuple() | list():
            return (
                (b"(" if isinstance(value, tuple) else b"](")
                + b"".join(map(opcodes, value))
                + (b"t" if isinstance(value, tuple) else b"e")
            )
        case dict():
            return b"}(" + b"".join(opcodes(k) + opcodes(v) for k, v in value.items()) + b"u"
    raise TypeError(value)


def dump(value: Any) -> bytes:
    return b"\x80\x02" + opcodes(value) + b"."


REBUILD = Global("torch._utils", "_rebuild_tensor_v2")
HOOKS = Call(Global("collections", "OrderedDict"), ())


def tensor(
    key: str, count: int, offset: int, shape: tuple, strides: tuple, kind: str = "FloatStorage", view=()
) -> Call:
    storage = Persistent(("storage", Global("torch", kind), key, "cpu", count, *view))
    return Call(REBUILD, (storage, offset, shape, strides, False, HOOKS))


def contiguous(key: str, array: np.ndarray, view=()) -> Call:
    strides = tuple(s // 4 for s in array.strides)
    return tensor(key, array.size, 0, array.shape, strides, view=view)


def zip_file(path: Path, state: Any, storages: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", dump(state))
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def legacy_file(path: Path, state: Any, storages: dict[str, bytes]) -> Path:
    out = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, state, list(storages)):
        out.write(dump(value))
    for data in storages.values():
        out.write(struct.pack("<q", len(data) // 4) + data)
    path.write_bytes(out.getvalue())
    return path


def network(name: str, keep: int = 99, seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """A narrow network for the input of its origin; kernels are [3, 3, in, out]."""
    rng, layers, channels = np.random.default_rng(seed), {}, 3
    for layer in list(POSITIONS[name].values())[:keep]:
        kernel, bias = rng.normal(size=(3, 3, channels, channels + 1)), rng.normal(size=channels + 1)
        layers[layer] = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}
        channels += 1
    return layers


def write_torch(path: Path, layers: dict, name: str, keys: str, writer=zip_file) -> Path:
    positions = {layer: position for position, layer in POSITIONS[name].items()}
    view = (None,) if writer is legacy_file else ()
    state, storages = {}, {}
    for layer, arrays in {**layers, "classifier": {"kernel": np.full((1, 1, 2, 2), np.nan, np.float32)}}.items():
        for part, array in arrays.items():
            array = np.ascontiguousarray(array.transpose(3, 2, 0, 1) if part == "kernel" else array)
            key = keys.format(layer=layer, position=positions.get(layer, 0))
            key = "classifier.0" if layer == "classifier" else key
            number = str(len(storages))
            state[f"{key}.{'weight' if part == 'kernel' else 'bias'}"] = contiguous(number, array, view)
            storages[number] = array.tobytes()
    return writer(path, state, storages)


def write_keras(path: Path, layers: dict, group: str = "") -> Path:
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        names = ["input_1", *(f"block{n[4]}_conv{n[6]}" for n in layers), "block1_pool"]
        root.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            inner = root.create_group(name)
            arrays = layers.get(f"conv{name[5]}_{name[-1]}", {})
            weights = {f"{name}/odd_{part}:0": array for part, array in arrays.items()}
            inner.attrs["weight_names"] = [key.encode() for key in weights]
            for key, array in weights.items():
                inner[key] = array
    return path


def assert_same(got: dict, layers: dict, first: np.ndarray) -> None:
    """`got` is `layers` with the kernel `first` in conv1_1, and a mean."""
    assert list(got) == ["mean", *layers]
    np.testing.assert_allclose(got["conv1_1"]["kernel"], first, rtol=1e-6)
    for name, layer in layers.items():
        assert all(array.dtype == np.float32 for array in got[name].values())
        np.testing.assert_array_equal(got[name]["bias"], layer["bias"])
        if name != "conv1_1":
            np.testing.assert_array_equal(got[name]["kernel"], layer["kernel"])


@pytest.mark.parametrize("group", ["", "model_weights"])
@pytest.mark.parametrize("name", ["vgg19", "vgg16"])
def test_keras(tmp_path, name, group):
    layers = network(name)
    weights = files.read(write_keras(tmp_path / "any_name.bin", layers, group))
    assert_same(weights.layers, layers, layers["conv1_1"]["kernel"][:, :, ::-1] * 255)
    assert weights.metadata["network"] == name
    assert weights.metadata["preprocessing"] == "caffe"


@pytest.mark.parametrize("writer", [zip_file, legacy_file])
@pytest.mark.parametrize("keys", ["features.{position}", "{position}", "module.features.{position}", "{layer}"])
@pytest.mark.parametrize("name", ["vgg19", "vgg16"])
def test_torch(tmp_path, name, keys, writer):
    layers = network(name)
    weights = files.read(write_torch(tmp_path / "x.pth", layers, name, keys, writer), "torchvision")
    deviation = np.array([0.229, 0.224, 0.225])
    assert_same(weights.layers, layers, layers["conv1_1"]["kernel"] / deviation[:, None])
    assert weights.metadata["network"] == name
    np.testing.assert_allclose(weights.layers["mean"], [0.485, 0.456, 0.406])


@pytest.mark.parametrize("writer", [zip_file, legacy_file])
def test_views_and_kinds_of_numbers(tmp_path, writer):
    numbers = np.arange(24, dtype=np.float32)
    halves = np.array([1.5, -2.0], np.float16)
    view = (None,) if writer is legacy_file else ()
    parameter = Call(Global("torch._utils", "_rebuild_parameter"), (tensor("0", 24, 0, (), (), view=view), True, HOOKS))
    state = {
        "transposed": tensor("0", 24, 2, (3, 2), (1, 3), view=view),
        "every other": tensor("0", 24, 1, (5,), (2,), view=view),
        "parameter": parameter,
        "other": "text",
    }
    storages = {"0": numbers.tobytes()}
    if writer is zip_file:
        state["half"] = tensor("1", 2, 0, (2,), (1,), "HalfStorage")
        storages["1"] = halves.tobytes()
    else:
        state["part"] = tensor("0", 24, 0, (2,), (1,), view=(("v", 7, 2),))
    got = torch_files.read(writer(tmp_path / "x.pth", {"state_dict": state}, storages), lambda name: True)
    np.testing.assert_array_equal(got["transposed"], [[2, 5], [3, 6], [4, 7]])
    np.testing.assert_array_equal(got["every other"], [1, 3, 5, 7, 9])
    assert got["parameter"] == 0
    if writer is zip_file:
        np.testing.assert_array_equal(got["half"], halves)
    else:
        np.testing.assert_array_equal(got["part"], [7, 8])
    assert "other" not in got


@pytest.mark.parametrize("preprocessing", origins.PREPROCESSING)
def test_folding_is_exact_at_zero_padded_edges(preprocessing):
    def convolve(image, kernel):
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
        return np.einsum("hwcij,ijco->hwo", windows, kernel)

    rgb = np.random.default_rng(1).uniform(size=(5, 7, 3))
    layers = network("vgg19")
    kernel = layers["conv1_1"]["kernel"].astype(np.float64)
    entering = {
        "caffe": (rgb * 255)[..., ::-1] - [103.939, 116.779, 123.68],
        "torchvision": (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        "amdegroot": (rgb - [0.48235, 0.45882, 0.40784]) / (1 / 255),
    }[preprocessing]
    mean = origins.fold(layers, preprocessing)
    expected = convolve(entering, kernel)
    error = np.abs(convolve(rgb - mean, layers["conv1_1"]["kernel"].astype(np.float64)) - expected).max()
    assert error < 1e-6 * np.abs(expected).max()


def test_safetensors_round_trip_with_the_same_bytes(tmp_path):
    weights = files.read(write_keras(tmp_path / "a.h5", network("vgg19", keep=8)))
    for name in ("b.safetensors", "c.safetensors"):
        files.write(
            tmp_path / name, weights.layers, {**weights.metadata, "source_sha256": "0", "normalized": "photographs"}
        )
    again = files.read(tmp_path / "b.safetensors")
    assert (tmp_path / "b.safetensors").read_bytes() == (tmp_path / "c.safetensors").read_bytes()
    np.testing.assert_array_equal(again.layers["mean"], weights.layers["mean"])
    np.testing.assert_array_equal(again.layers["conv3_4"]["kernel"], weights.layers["conv3_4"]["kernel"])
    assert again.metadata == {**weights.metadata, "source_sha256": "0", "normalized": "photographs"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5", "b.safetensors", "c.safetensors"]


def test_readouts_are_kept_and_checked(tmp_path):
    layers = network("vgg19", keep=2)
    layers["conv1_1"]["readout"] = np.eye(len(layers["conv1_1"]["bias"]), 2, dtype=np.float32)
    mean = np.zeros(3, np.float32)
    files.write(tmp_path / "w.safetensors", {"mean": mean, **layers}, {"network": "vgg19"})
    got = files.read(tmp_path / "w.safetensors").layers["conv1_1"]["readout"]
    np.testing.assert_array_equal(got, layers["conv1_1"]["readout"])
    layers["conv1_1"]["readout"] = got[1:]
    files.write(tmp_path / "w.safetensors", {"mean": mean, **layers}, {"network": "vgg19"})
    with pytest.raises(errors.TexjaxError, match="conv1_1 with a readout"):
        files.read(tmp_path / "w.safetensors")


def test_safetensors_in_torchvision_layout(tmp_path):
    layers = network("vgg16")
    tensors = {"pre_logits.fc1.weight": np.zeros((2, 2), np.float32)}
    for position, name in POSITIONS["vgg16"].items():
        tensors[f"features.{position}.weight"] = np.ascontiguousarray(layers[name]["kernel"].transpose(3, 2, 0, 1))
        tensors[f"features.{position}.bias"] = layers[name]["bias"]
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors")
    weights = files.read(tmp_path / "model.safetensors")
    assert_same(weights.layers, layers, layers["conv1_1"]["kernel"] / np.array([0.229, 0.224, 0.225])[:, None])


def test_the_name_of_a_published_file_decides_its_preprocessing(tmp_path):
    layers = network("vgg19")
    for name, expected in {"vgg19-dcbb9e9d.pth": "torchvision", "vgg19-d01eb7cb.pth": "caffe"}.items():
        weights = files.read(write_torch(tmp_path / name, layers, "vgg19", "features.{position}"))
        assert weights.metadata["preprocessing"] == expected
        assert weights.metadata["normalized"] == "none"
    gatys = files.read(write_torch(tmp_path / "vgg_conv.pth", layers, "vgg19", "{layer}"))
    assert (gatys.metadata["preprocessing"], gatys.metadata["normalized"]) == ("caffe", "photographs")
    with pytest.raises(errors.TexjaxError, match=r"features\.preprocessing to caffe .* or torchvision"):
        files.read(write_torch(tmp_path / "own.pth", layers, "vgg19", "{layer}"))


@pytest.mark.parametrize("writer", [zip_file, legacy_file])
@pytest.mark.parametrize(("module", "name"), [("posix", "system"), ("builtins", "eval"), ("torch.nn", "Linear")])
def test_a_malicious_pickle_is_refused_by_name(tmp_path, writer, module, name):
    ran = tmp_path / "ran"
    path = writer(tmp_path / "x.pth", {"a": Call(Global(module, name), (f"touch {ran}",))}, {})
    with pytest.raises(errors.TexjaxError, match=rf"{module}\.{name}.* refused"):
        files.read(path, "caffe")
    assert not ran.exists()


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((5,), (1,), 0), ((2,), (1,), -1), ((2,), (-1,), 2), ((9,), (0,), 0), ((0,), (1,), 0)],
)
def test_a_tensor_outside_its_storage_is_refused(tmp_path, shape, strides, offset):
    state = {"features.0.weight": tensor("0", 4, offset, shape, strides)}
    path = zip_file(tmp_path / "x.pth", state, {"0": bytes(16)})
    with pytest.raises(errors.TexjaxError, match=r"is damaged .*its storage"):
        files.read(path, "caffe")


def test_a_compressed_archive_is_refused(tmp_path):
    path = zip_file(tmp_path / "x.pth", {}, {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(errors.TexjaxError, match="compressed entry"):
        files.read(path, "caffe")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["h5", "zip", "legacy", "safetensors"])
def test_a_truncated_file_is_damaged(tmp_path, kind, share):
    path, layers = tmp_path / "x", network("vgg19")
    if kind == "h5":
        write_keras(path, layers)
    elif kind == "safetensors":
        files.write(path, {"mean": np.zeros(3), **layers}, {})
    else:
        write_torch(path, layers, "vgg19", "{layer}", zip_file if kind == "zip" else legacy_file)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(errors.TexjaxError, match=r"is damaged|cannot be read") as caught:
        files.read(path, "caffe")
    assert str(path) in str(caught.value)


def test_files_that_are_no_weights(tmp_path):
    path = tmp_path / "x.h5"
    with pytest.raises(errors.TexjaxError, match="no such file"):
        files.read(path)
    path.write_bytes(b"")
    with pytest.raises(errors.TexjaxError, match="is empty"):
        files.read(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    with pytest.raises(errors.TexjaxError, match="no weight file"):
        files.read(path)
    with pytest.raises(errors.TexjaxError, match="did you mean 'caffe'"):
        files.read(path, "cafe")


def test_contents_that_are_no_vgg(tmp_path):
    path, layers = tmp_path / "x.h5", network("vgg19")
    with pytest.raises(errors.TexjaxError, match="holds no convolutions"):
        files.read(write_keras(path, {}))
    with pytest.raises(errors.TexjaxError, match="holds conv1_1, conv2_1, and the first convolutions of VGG-16 or"):
        files.read(write_keras(path, {"conv1_1": layers["conv1_1"], "conv2_1": layers["conv1_2"]}))
    with pytest.raises(errors.TexjaxError, match=r"conv1_2 with kernel \[3, 3, 3, 4\].* \[3, 3, 4, out\]"):
        files.read(write_keras(path, {**layers, "conv1_2": layers["conv1_1"]}))
    with pytest.raises(errors.TexjaxError, match="holds vgg19 and not vgg16"):
        files.read(write_keras(path, layers), network="vgg16")
    layers["conv2_1"]["bias"][0] = np.inf
    with pytest.raises(errors.TexjaxError, match="conv2_1 that are not finite"):
        files.read(write_keras(path, layers))
    state = {f"features.{i}.weight": contiguous("0", np.zeros(4, np.float32)) for i in (0, 1, 3, 4)}
    with pytest.raises(errors.TexjaxError, match=r"positions 0, 1, 3, 4.*batch normalization"):
        files.read(zip_file(path, state, {"0": bytes(16)}), "torchvision")


def test_a_short_file_fits_both_networks(tmp_path):
    path = write_keras(tmp_path / "x.h5", network("vgg19", keep=7))
    assert files.read(path, network="vgg16").metadata["network"] == "vgg16"
    assert list(files.read(path).layers)[-1] == "conv3_3"


def test_writing_into_a_missing_folder(tmp_path):
    with pytest.raises(errors.EnvironmentFault, match="cannot write"):
        files.write(tmp_path / "no" / "x.safetensors", {}, {})


def test_trained_filters_respond_to_patterns_more_than_to_flat_colors(test_data):
    weights = files.read(test_data / "weights" / "vgg19_notop_block1-3.h5")
    assert list(weights.layers) == ["mean", *list(POSITIONS["vgg19"].values())[:8]]
    assert [weights.layers[f"conv{b}_1"]["kernel"].shape[2:] for b in (1, 2, 3)] == [(3, 64), (64, 128), (128, 256)]
    # The filters of conv1_1 nearly sum to zero: a flat color excites them far less than their own pattern does.
    kernel = weights.layers["conv1_1"]["kernel"]
    flat, pattern = np.abs(kernel.sum((0, 1))).mean(), np.abs(kernel).sum((0, 1)).mean()
    assert flat < pattern / 2


def hdf5(path: Path, fill: Any) -> Path:
    """A file in Keras' layout whose group block1_conv1 is filled by a function of the file and the group."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["block1_conv1"]
        group = file.create_group("block1_conv1")
        group.attrs["weight_names"] = ["kernel", "bias"]
        group["bias"] = np.zeros(4, np.float32)
        fill(file, group)
    return path


@pytest.mark.parametrize("kind", ["link", "link over a link", "external", "virtual"])
def test_an_array_of_another_file_is_refused(kind, tmp_path):
    """HDF5 follows links, storage and virtual data sets to any file that the user may read."""
    other, kernel = tmp_path / "other.h5", np.ones((3, 3, 3, 4), np.float32)
    with h5py.File(other, "w") as file:
        file["secret"] = kernel
    (tmp_path / "raw").write_bytes(kernel.tobytes())

    def fill(file: h5py.File, group: h5py.Group) -> None:
        if kind == "external":
            group.create_dataset("kernel", kernel.shape, "f4", external=[(str(tmp_path / "raw"), 0, kernel.nbytes)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout(kernel.shape, "f4")
            layout[:] = h5py.VirtualSource(str(other), "secret", kernel.shape)
            group.create_virtual_dataset("kernel", layout)
        else:
            file["hop"] = h5py.ExternalLink(str(other), "secret")
            group["kernel"] = h5py.SoftLink("/hop") if kind == "link over a link" else file.get("hop", getlink=True)

    told = "is damaged" if "link" in kind else "its array kernel lies in another file"
    with pytest.raises(errors.TexjaxError, match=told):
        files.read(hdf5(tmp_path / "crafted.h5", fill))


def test_an_array_that_claims_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = hdf5(
        tmp_path / "sparse.h5",
        lambda file, group: group.create_dataset("kernel", (3, 3, 3, 10**9), "f4", chunks=(3, 3, 3, 64)),
    )
    assert path.stat().st_size < 20_000
    with pytest.raises(errors.TexjaxError, match=r"kernel has the shape \[3, 3, 3, 1000000000\]"):
        files.read(path)


# Protocol 2, as `torch.save` writes it.
PICKLES = {
    "a number of an object": b"\x80\x02}r\x00\x00\x00\x20.",  # an empty dictionary, which is object 2^29
    "nested keys": b"\x80\x02})q\x01" + b"".join(b"h\x01h\x01\x86q\x01" for _ in range(64)) + b"K\x01s.",
    "nested keys, several": b"\x80\x02}()q\x01" + b"".join(b"h\x01h\x01\x86q\x01" for _ in range(64)) + b"K\x01u.",
    "a set": b"\x80\x04\x8f(K\x01\x90.",
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_short_pickle_takes_neither_memory_nor_time(name, tmp_path):
    path = tmp_path / "short.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", PICKLES[name])
    with pytest.raises(errors.TexjaxError, match=r"short\.pth"):
        files.read(path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak < 4 * 2**20, "in KiB; an object's number would have taken 4 GiB"
