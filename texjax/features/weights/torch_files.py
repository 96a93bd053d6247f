"""PyTorch's `.pth` files, read without PyTorch: the zip format, and the legacy format of versions before 1.6.

Both formats hold a pickle, and unpickling can call any function. Here the pickle may name only what a state dict needs;
every other global is refused by name before it is called. Tensors are first read as descriptions, so that only the
wanted ones are loaded from disk: the convolutions are 80 of a VGG's 550 MB.
"""

import collections
import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import ml_dtypes
import numpy as np

from texjax import errors

MAGICS = (b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46")
DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class Storage(NamedTuple):
    """The `length` numbers from `start` on in the file's storage `key`, which holds `count` numbers."""

    dtype: np.dtype
    key: str
    count: int
    start: int
    length: int


class Tensor(NamedTuple):
    """Where the entries of a tensor lie in its storage; offset and strides count entries, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(path: Path, wanted: Callable[[str], object]) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict whose names are `wanted`, as float32.

    A state dict nested under the key "state_dict" is unwrapped.

    Raises TexjaxError for a pickle that names anything but plain tensors; for a damaged file any exception.
    """
    with open(path, "rb") as file:
        is_zip = file.read(4) == MAGICS[0]
        file.seek(0)
        return _read_zip(file, wanted) if is_zip else _read_legacy(file, wanted)


def _read_zip(file: io.BufferedIOBase, wanted: Callable[[str], object]) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        pickled = next((name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"), None)
        if pickled is None:
            raise ValueError("an archive without data.pkl, so not written by torch.save")
        tensors = _tensors(_Unpickler(io.BytesIO(_entry(archive, pickled))).load(), wanted)
        folder = pickled.removesuffix("data.pkl") + "data/"
        return {name: _array(tensor, _entry(archive, folder + tensor.storage.key)) for name, tensor in tensors.items()}


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    # torch.save never compresses, and a compressed entry could expand to any size.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError("a compressed entry, which torch.save does not write")
    return archive.read(name)


def _read_legacy(file: io.BufferedIOBase, wanted: Callable[[str], object]) -> dict[str, np.ndarray]:
    for _ in ("magic number", "protocol version", "system"):
        _Unpickler(file).load()
    unpickler = _Unpickler(file)
    tensors = _tensors(unpickler.load(), wanted)
    used = {tensor.storage.key for tensor in tensors.values()}
    data = {}
    for key in _Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        size = count * unpickler.storages[key].dtype.itemsize
        if key in used:
            data[key] = file.read(size)
        else:
            file.seek(size, io.SEEK_CUR)
    return {name: _array(tensor, data[tensor.storage.key]) for name, tensor in tensors.items()}


def _with_plain_keys(code: bytes, keys: Callable[[list[Any]], list[Any]]) -> Callable[[Any], None]:
    """Return what loads an operation of a pickle, after a look at the keys that it takes from the stack."""
    load = pickle._Unpickler.dispatch[code[0]]

    def load_with_plain_keys(unpickler: Any) -> None:
        if not all(isinstance(key, str | int) for key in keys(unpickler.stack)):
            raise ValueError("a dictionary whose keys are no names")
        load(unpickler)

    return load_with_plain_keys


def _load_no_set(unpickler: Any) -> None:
    raise ValueError("a set, which weights do not need")


# Python's own unpickler: the one in C takes memory for the largest number that a pickle gives to an object.
class _Unpickler(pickle._Unpickler):
    # To hash tuples of tuples, which a short pickle can nest, takes forever.
    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.SETITEM[0]: _with_plain_keys(pickle.SETITEM, lambda stack: stack[-2:-1]),
        pickle.SETITEMS[0]: _with_plain_keys(pickle.SETITEMS, lambda stack: stack[::2]),
        pickle.DICT[0]: _with_plain_keys(pickle.DICT, lambda stack: stack[::2]),
        **dict.fromkeys((pickle.EMPTY_SET[0], pickle.ADDITEMS[0], pickle.FROZENSET[0]), _load_no_set),
    }

    def __init__(self, file: io.BufferedIOBase):
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in DTYPES:
            return name
        if (module, name) not in ALLOWED:
            raise errors.TexjaxError(
                f"the file asks to load {module}.{name}, which weights do not need and which could run any program; it "
                "is refused: get the file from its original address, or save only the state dict in it."
            )
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        _, kind, key, _, count, *view = pid
        # The legacy format describes a part of a storage by (key, start, length).
        _, start, length = (view[0] if view else None) or (None, 0, count)
        self.storages[key] = storage = Storage(DTYPES[kind], key, count, start, length)
        return storage


def _tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Tensor:
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor: Tensor, *_: Any) -> Tensor:
    return tensor


def _ordered(items: Any = ()) -> dict[Any, Any]:
    if not all(isinstance(key, str) for key, _ in items):
        raise ValueError("a dictionary whose keys are no names")
    return collections.OrderedDict(items)


ALLOWED = {
    ("collections", "OrderedDict"): _ordered,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


def _tensors(state: Any, wanted: Callable[[str], object]) -> dict[str, Tensor]:
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise ValueError(f"a {type(state).__name__} and not a state dict")
    named = ((name, value) for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor))
    return {name: value for name, value in named if wanted(name)}


def _array(tensor: Tensor, data: bytes) -> np.ndarray:
    """The tensor as a new float32 array. Its bounds come from the file, which may be malicious, so they are checked."""
    dtype, _, count, start, length = tensor.storage
    if len(data) != count * dtype.itemsize:
        raise ValueError("a storage cut short")
    flat = np.frombuffer(data, dtype)[start : start + length]
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min(tensor.offset, start, *tensor.strides) < 0 or min((1, *tensor.shape)) < 1 or last >= flat.size:
        raise ValueError("a tensor that reaches outside its storage")
    # With strides of zero a small file could describe an array of any size.
    if math.prod(tensor.shape) > flat.size:
        raise ValueError("a tensor larger than its storage")
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides).astype(np.float32)
