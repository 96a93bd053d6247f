"""Feed damaged files to every reader: each has to read or to refuse them, in one sentence, soon and in little memory.

    python -m experiments.fuzz OUT_DIR [--count 100000] [--seed 0] [--files FOLDER]

Inputs are small files of every format, written here, and those of the folder, with a few bytes changed, cut out,
repeated or replaced by those of another file. An input is written into OUT_DIR where its reader raises anything but a
`TexjaxError`, takes longer than ten seconds, or makes the process larger by 300 MiB. The files in OUT_DIR are tried
first, so that this folder is the corpus of the next call. The script prints one line of figures for each reader, and
ends with 1 where anything was found.
"""

import argparse
import hashlib
import io
import json
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import png
import tifffile
from PIL import Image

from texjax import checks, errors, images
from texjax import config as configs
from texjax.features.weights import files as weight_files
from texjax.features.weights import origins
from texjax.report import data, page
from texjax.runs import archive, resume

SECONDS, MEMORY = 10, 300 * 2**20
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1)
STRANGE = (None, True, -1, 10**400, 1e308, float("nan"), "", "<b>\n../..", [], [[]], {}, {"name": 1}, [{"name": "a"}])
WORDS = (
    "0",
    "-1",
    "1e30",
    "nan",
    "inf",
    "x",
    "''",
    "()",
    "(1,)",
    "[1, 2]",
    "{}",
    "{'name': 1}",
    "None",
    "True",
    "9" * 99,
)


class Reader(NamedTuple):
    """What reads files, and files that it can read. read: called with the path of the file that has been written."""

    read: Callable[[Path], object]
    seeds: list[bytes]
    suffix: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--count", type=int, default=100_000, help="inputs of all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", type=Path, help="a folder with more files to damage")
    args = parser.parse_args()
    args.out_dir.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        every = readers(Path(folder), args.files)
        for name, reader in every.items():
            rng, begin = random.Random(args.seed), time.monotonic()
            corpus = [path.read_bytes() for path in sorted(args.out_dir.glob(f"{name}-*"))]
            refused = bad_here = 0
            for number in range(args.count // len(every)):
                content = corpus[number] if number < len(corpus) else damaged(rng, reader.seeds)
                problem = trial(reader, Path(folder) / f"input{reader.suffix}", content)
                refused += problem == ""
                if problem:
                    bad_here += 1
                    kept = args.out_dir / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
                    kept.write_bytes(content)
                    print(f"{kept}: {problem}", flush=True)
            bad += bad_here
            minutes = (time.monotonic() - begin) / 60
            print(
                f"{name}: {args.count // len(every)} inputs, {refused} refused, {bad_here} problems, {minutes:.1f} min",
                flush=True,
            )
    sys.exit(bad > 0)


def trial(reader: Reader, path: Path, content: bytes) -> str | None:
    """Return what went wrong, "" where the file was refused as it should be, and None where it was read."""
    path.write_bytes(content)
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(SECONDS)
    before = peak()
    try:
        reader.read(path)
    except errors.TexjaxError as error:
        return "" if str(error)[-1:] in ".?" and "\n" not in str(error) else f"no sentence: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    finally:
        signal.alarm(0)
        path.unlink(missing_ok=True)
    return f"{(peak() - before) >> 20} MiB" if peak() - before > MEMORY else None


def peak() -> int:
    """Return the largest number of bytes that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _late(number: int, frame: object) -> None:
    raise TimeoutError(f"longer than {SECONDS} s")


def damaged(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds with up to four damages."""
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(0, 4)):
        # Headers are short, and most decisions are taken there.
        at = rng.randrange(min(len(content), 200) if rng.random() < 0.5 else len(content)) if content else 0
        kind = rng.choice(("bit", "number", "end", "cut", "repeat", "splice"))
        if kind == "bit":
            content[at : at + 1] = bytes(byte ^ (1 << rng.randrange(8)) for byte in content[at : at + 1])
        elif kind == "number":
            size = rng.choice((1, 2, 4, 8))
            value = rng.choice(NUMBERS) % 256**size
            content[at : at + size] = value.to_bytes(size, rng.choice(("big", "little")))
        elif kind == "end":
            del content[at:]
        elif kind == "cut":
            del content[at : at + rng.randint(1, 64)]
        elif kind == "repeat":
            content[at:at] = content[at : at + rng.randint(1, 64)]
        else:
            other = rng.choice(seeds)
            where = rng.randrange(max(1, len(other)))
            content[at : at + 16] = other[where : where + 16]
    return bytes(content)


def readers(folder: Path, more: Path | None) -> dict[str, Reader]:
    """Return all readers. folder: for run directories. more: a folder with further files, or None."""
    found = [path.read_bytes() for path in sorted(more.rglob("*")) if path.is_file()] if more else []
    small = [content for content in found if len(content) < 200_000]
    pictures = list(picture_seeds())
    run = folder / "run"
    run.mkdir()
    run_files = dict(run_seeds())

    def in_run(name: str) -> Callable[[Path], object]:
        def read(path: Path) -> object:
            for other, content in run_files.items():
                (run / other).write_bytes(content)
            (run / name).write_bytes(path.read_bytes())
            return page.render(data.collect(run, page.relative_link(run)))

        return read

    def to_resume(name: str) -> Callable[[Path], object]:
        def read(path: Path) -> object:
            for other, content in run_files.items():
                (run / other).write_bytes(content)
            (run / name).write_bytes(path.read_bytes())
            return resume.begun(run, extend=1)

        return read

    return {
        "pictures": Reader(images.load, [*pictures, *small]),
        "shapes": Reader(images.shape, [*pictures, *small]),
        "tga": Reader(images.load, list(tga_seeds()), ".tga"),
        "weights": Reader(lambda path: weight_files.read(path, "caffe"), [*weight_seeds(), *small]),
        "configs": Reader(read_override, [f"{key}={word}".encode() for key in keys() for word in WORDS]),
        "records": Reader(in_run(archive.RUN_FILE), variants(run_files[archive.RUN_FILE])),
        "run configs": Reader(in_run(archive.CONFIG_FILE), variants(run_files[archive.CONFIG_FILE])),
        "metrics": Reader(in_run(archive.METRICS_FILE), variants(run_files[archive.METRICS_FILE].splitlines()[0])),
        "measures": Reader(in_run(archive.MEASURES_FILE), variants(b'{"bands": 0.5, "seam": 1.0}')),
        "resumed records": Reader(to_resume(archive.RUN_FILE), variants(run_files[archive.RUN_FILE])),
        "resumed configs": Reader(to_resume(archive.CONFIG_FILE), variants(run_files[archive.CONFIG_FILE])),
    }


def variants(content: bytes) -> list[bytes]:
    """Return a JSON object, and copies of it with a strange value in each place, or without it."""
    whole = json.loads(content)

    def changed(value: Any) -> Iterator[Any]:
        yield from STRANGE
        places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in places:
            for other in changed(inner):
                copy = value.copy()
                copy[key] = other
                yield copy
            if isinstance(value, dict):
                yield {name: kept for name, kept in value.items() if name != key}

    return [content, *(json.dumps(value).encode() for value in changed(whole)), b"[" * 100_000]


def picture_seeds() -> Iterator[bytes]:
    """Yield small pictures of many formats and modes."""
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (12, 10, 4), np.uint8)
    for mode, form in (("RGB", "png"), ("RGBA", "png"), ("L", "png"), ("P", "png"), ("RGB", "jpeg"), ("CMYK", "jpeg")):
        yield _saved(color, mode, form)
    for mode, form in (
        ("P", "gif"),
        ("RGB", "bmp"),
        ("RGB", "webp"),
        ("RGB", "ppm"),
        ("RGB", "tiff"),
        ("L", "jpeg2000"),
    ):
        yield _saved(color, mode, form)
    buffer = io.BytesIO()
    writer: Any = png.Writer
    writer(10, 12, greyscale=False, bitdepth=16).write(buffer, (257 * color[..., :3].astype(int)).reshape(12, 30))
    yield buffer.getvalue()
    for planar in ("contig", "separate"):
        buffer = io.BytesIO()
        pixels = 257 * color[..., :3].astype(np.uint16)
        pixels = pixels.transpose(2, 0, 1) if planar == "separate" else pixels
        tifffile.imwrite(buffer, pixels, photometric="rgb", planarconfig=planar)
        yield buffer.getvalue()
    yield b"PF\n4 3\n-1.0\n" + rng.random((3, 4, 3), np.float32).tobytes()
    yield b"P7\nWIDTH 4\nHEIGHT 3\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + color[:3, :4].tobytes()


def tga_seeds() -> Iterator[bytes]:
    """Yield TGA files; only their suffix tells what they are."""
    color = np.random.default_rng(0).integers(0, 256, (12, 10, 4), np.uint8)
    for mode in ("RGB", "RGBA", "L"):
        for compression in (None, "tga_rle"):
            buffer = io.BytesIO()
            Image.fromarray(color).convert(mode).save(buffer, "tga", compression=compression)
            yield buffer.getvalue()


def _saved(color: np.ndarray, mode: str, form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(color).convert(mode).save(buffer, form)
    return buffer.getvalue()


def weight_seeds() -> Iterator[bytes]:
    """Yield weights of a VGG with few channels, as safetensors and as HDF5 of Keras."""
    names, channels = origins.convolution_names("vgg19")[:3], (3, 2, 2, 2)
    layers = {
        name: {"kernel": np.ones((3, 3, i, o), np.float32), "bias": np.zeros(o, np.float32)}
        for name, i, o in zip(names, channels, channels[1:], strict=False)
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        weight_files.write(path, {"mean": np.zeros(3, np.float32), **layers}, {"network": "vgg19"})
        yield path.read_bytes()
        with h5py.File(path, "w") as file:
            names = {name: name.replace("conv", "block").replace("_", "_conv") for name in layers}
            file.attrs["layer_names"] = [name.encode() for name in names.values()]
            for name, layer in layers.items():
                group = file.create_group(names[name])
                group.attrs["weight_names"] = [b"W:0", b"b:0"]
                group["W:0"], group["b:0"] = layer["kernel"], layer["bias"]
        yield path.read_bytes()


def keys() -> list[str]:
    """Return all keys of a config."""
    return list(archive.flat(configs.load("random").to_dict()))


def read_override(path: Path) -> object:
    """Apply a word such as octaves=3 to a config, and check its values."""
    word = path.read_bytes().decode(errors="replace")
    config = configs.overridden_by_words(configs.load("random"), [f"--config.{word}"])
    return checks.values(config)


def run_seeds() -> Iterator[tuple[str, bytes]]:
    """Yield the records of a finished run by file name."""
    config = configs.load("random:tiny").to_dict()
    pictures = [{"name": "a.png", "sha256": "0" * 64}]
    record = {"status": "finished", "command": "texjax", "steps": 6, "seconds": 1.0, "peak_bytes": 1, "resumed": [2]}
    record |= {"sources": pictures, "source_paths": ["/nowhere/a.png"], "results": {"image.png": "0"}, "seed": 0}
    record |= {"versions": {"jax": "0"}, "devices": ["cpu:0"], "tile": 0, "history_size": 10, "weights_sha256": "0"}
    line = {"step": 0, "loss": 1.5, "terms": {"gram": 1.5}, "seconds": 0.5, "failed": False}
    yield archive.CONFIG_FILE, json.dumps(config).encode()
    yield archive.RUN_FILE, json.dumps(record).encode()
    yield archive.METRICS_FILE, "".join(json.dumps(line | {"step": i}) + "\n" for i in range(4)).encode()
    yield "image.png", next(picture_seeds())


if __name__ == "__main__":
    main()
