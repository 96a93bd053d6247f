"""What a user may get wrong, through the command: one sentence, the right exit code, and nothing half-written.

Each row: what follows `texjax`, words the sentence must hold, the exit code. `{...}` are the files of `given`.
"""

import errno
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from texjax.cli import main
from texjax.features.weights import catalog

RUN = "synthesize {good} --config random:tiny --output-dir {out} "
VALID = RUN + "--padding-mode valid "
VGG = "synthesize {good} --config snelgrove:tiny --config.features.normalize=False --output-dir {out} --data-dir "
PLAN = "synthesize {good} --config random:tiny --dry-run "

SOURCES = [
    ("synthesize {nowhere}", ["nowhere.png", "no such file"], 2),
    ("synthesize {empty}", ["empty.png", "empty"], 2),
    ("synthesize {cut_png}", ["cut.png", "damaged or cut short"], 2),
    ("synthesize {cut_jpg}", ["cut.jpg", "damaged or cut short"], 2),
    ("synthesize {text}", ["text.png", "no picture"], 2),
    ("synthesize {bomb}", ["bomb.png", "40000 x 40000", "89,478,485"], 2),
    ("synthesize {good} --config.source.max_pixels=5119", ["good.png", "80 x 64", "5,119"], 2),
    ("synthesize {good} --config.source.max_pixels=5120 -sw 81", ["81", "5,120"], 2),
    (VALID + "-s {one}", ["one.png", "1 x 1 px", "25 px"], 2),
    ("synthesize {nothing}", ["nothing", "no pictures"], 2),
    ("synthesize", ["no source"], 2),
    ("synthesize --config random:tiny --dry-run", ["no source"], 2),
    ("synthesize {good} {nowhere}", ["nowhere.png"], 2),
]
WEIGHTS = [
    (VGG + "{nowhere}", ["nowhere.png", "does not exist"], 2),
    (VGG + "{nothing}", ["nothing", "no known weights of vgg19"], 2),
    (VGG + "{empty}", ["empty.png", "the file is empty"], 2),
    (VGG + "{text}", ["text.png", "no weight file"], 2),
    (VGG + "{published}", [catalog.FILES["vgg19"].filename, "get the file again"], 2),
    (VGG + "{payload}", ["payload.pth", "open"], 2),
    (VGG + "{narrow}", ["no layer conv3_2", "pool2"], 2),
    (VGG + "{narrow} --layers pool1 --config.features.preprocessing=cafe", ["'cafe'", "'caffe'"], 2),
    (VGG + "{narrow} --layers pool1 --config.features.pool=avrage", ["'avrage'", "'average'"], 2),
    (VGG + "{narrow} --layers pool1 --config.features.precision=float16", ["'float16'", "float32"], 2),
    (VGG + "{narrow} --layers pool1 --padding-mode circlar", ["'circlar'", "'circular'"], 2),
    (VGG + "{narrow} --layers pool1 --config.features.normalize=True", ["no channel means"], 2),
    (RUN + "--data-dir {narrow}", ["weights", "random"], 2),
    ("weights verify {nowhere}", ["nowhere.png", "no such file"], 2),
    ("weights verify {text}", ["text.png", "no weight file"], 2),
    ("weights fetch vgg18", ["'vgg18'", "'vgg19'"], 2),
]
NAMES = [
    ("synthesize {good} --config randm", ["'randm'", "'random'"], 2),
    ("synthesize {good} --config random:tiy", ["'tiy'", "'tiny'"], 2),
    ("synthesize {good} --config nowhere.py", ["nowhere.py", "does not exist"], 2),
    ("synthesize {good} --config {broken}", ["broken.py", "no fun"], 2),
    (RUN + "--config.octave=2", ["'octave'", "'octaves'"], 2),
    (RUN + "--config.pyramid.pading=valid", ["'pyramid.pading'", "'pyramid.padding'"], 2),
    (RUN + "--config.optimizer.histry_size=3", ["'optimizer.histry_size'", "'optimizer.history_size'"], 2),
    (RUN + "--layers conv1-1", ["'conv1-1'", "'conv1_1'"], 2),
    (RUN + "--layers 2", ["'pool1'", "pixels, conv1_1"], 2),
    (RUN + "--layers 21", ["layer index 21", "0 (conv1_1) to 20"], 2),
    (RUN + "--layers -1", ["layer index -1", "0 (conv1_1) to 20"], 2),
    (RUN + "--config.terms.gram.layers.conv1_2=1.0", ["conv1_2", "--config.terms.gram.layers"], 2),
    (RUN + "--padding-mode circlar", ["'circlar'", "'circular'"], 2),
    (RUN + "--config.features.padding=vald", ["'vald'", "'valid'"], 2),
    (RUN + "--config.pyramid.padding=same", ["pyramid padding 'same'", "valid, reflect, circular"], 2),
    (RUN + "--config.features.name=randm", ["'randm'", "'random'"], 2),
    (RUN + "--config.optimizer.name=lbfg", ["'lbfg'", "'lbfgs'"], 2),
    (
        RUN + "--config.optimizer.history_size=3 --config.optimizer.name=adam",
        ["unknown", "'optimizer.history_size'"],
        2,
    ),
    (RUN + "--config.optimizer.range=penal", ["'penal'", "'penalty'"], 2),
    (RUN + "--config.optimizer.range=bounds", ["'bounds'", "lbfgs", "penalty"], 2),
    (RUN + "--config.init.name=nois", ["'nois'", "'noise'"], 2),
    (PLAN + "--config.init.name=nois", ["'nois'", "'noise'"], 2),
    (RUN + "--config.init.name=noise", ["noise", "mean"], 2),
    (RUN + "--config.terms.gram.name=gramm", ["'gramm'", "'gram'"], 2),
    (RUN + "--config.terms.gram.normalization=pixel", ["'pixel'", "'pixels'"], 2),
    (RUN + "--config.terms.gram.join=averge", ["'averge'", "'average'"], 2),
    (RUN + "--join-mode averge", ["'averge'", "'average'"], 2),
    (RUN + "--config.batch_mode=mapp", ["'mapp'", "'map'"], 2),
    (RUN + "--config.output.format=pngg", ["'pngg'", "'png'"], 2),
    (RUN + "--seed symetric", ["'symetric'", "'symmetric'"], 2),
]
NUMBERS = [
    (RUN + "--config.schedule.steps=(0,)", ["schedule.steps", "from 1"], 2),
    (RUN + "--config.schedule.lowpass=0.0", ["schedule.lowpass", "above 0"], 2),
    *((RUN + f"{flag} {n}", [n], 2) for flag in ("--output-width", "--output-height") for n in ("0", "-3")),
    *((RUN + f"{flag} 0", ["is 0", "1"], 2) for flag in ("--octaves", "--max-iter", "--save-every", "--count")),
    *((RUN + f"{flag} -2", ["is -2", "1"], 2) for flag in ("--octaves", "--max-iter", "--save-every", "--count")),
    *((RUN + f"--{flag} 1.5", [f"--{flag}", "'1.5'"], 2) for flag in ("octaves", "max-iter", "count", "output-width")),
    *((RUN + f"--{flag} x", [f"--{flag}", "'x'"], 2) for flag in ("save-every", "random-seed", "tol", "mul")),
    (RUN + "--tol -1", ["tol", "-1"], 2),
    (RUN + "--tol nan", ["tol", "nan"], 2),
    (RUN + "--source-scale -1", ["scale", "-1"], 2),
    (RUN + "--source-scale inf", ["scale", "inf"], 2),
    (RUN + "--source-width -1", ["width", "-1"], 2),
    (RUN + "--source-width half", ["--source-width is 'half'", "number of pixels, or auto"], 2),
    (RUN + "--random-seed -1", ["seed", "-1"], 2),
    (RUN + "--config.seed=4294967296", ["seed", "4294967296"], 2),
    (RUN + "--config.octaves=x", ["octaves", "'x'"], 2),
    (RUN + "--config.octaves=2.5", ["octaves", "2.5"], 2),
    (RUN + "--config.octaves", ["octaves", "value"], 2),
    (RUN + "--config.patience=0", ["patience", "0"], 2),
    (RUN + "--config.size=48", ["size", "two numbers"], 2),
    (RUN + "--config.size=(48.5,48)", ["48.5"], 2),
    (RUN + "--config.size=('a',48)", ["width", "a"], 2),
    (RUN + "--config.source.background=(1,1)", ["background", "three numbers"], 2),
    (RUN + "--config.source.background=(1,1,2)", ["background", "[0, 1]"], 2),
    (RUN + "--config.source.background=('a',1,1)", ["background"], 2),
    (RUN + "--config.source.max_pixels=0", ["max_pixels", "0"], 2),
    (RUN + "--config.optimizer.history_size=-1", ["history_size", "-1"], 2),
    (RUN + "--config.terms.gram.weight=0", ["weighs 0"], 2),
    (RUN + "--config.terms.gram.weight=nan", ["weight", "nan"], 2),
    (RUN + "--mul nan", ["mul", "nan"], 2),
    (RUN + "--config.terms.gram.octave_weights=(1.0,)", ["octave", "1", "2"], 2),
    (RUN + "--config.terms.gram.octave_weights=('a','b')", ["octave", "gram"], 2),
    (RUN + "--config.terms.gram.layers={{'conv1_1':'a'}}", ["gram", "a"], 2),
    (RUN + "--config.features.size=4", ["odd size", "4"], 2),
    (RUN + "--config.features.channels=0", ["channels", "0"], 2),
    (RUN + "--config.output.bits=12", ["bits is 12", "8 or 16"], 2),
    (RUN + "--config.output.format=jpg --config.output.bits=16", ["bits is 16", "jpg", "8"], 2),
    (RUN + "--config.output.format=tiff --config.output.bits=16", ["bits is 16", "tiff", "8"], 2),
    # Pyramid sides, valid: 48, 22, 9, 3; a filter of 11 needs 11, so that octave 1 is the last (22), and 5 octaves need
    # 11 -> 25 -> 53 -> 109 -> 221, as each side n comes from one of 2 n + 3.
    (VALID + "--octaves 5", ["48 x 48 px", "5 octaves", "221 px", "at most 2 octaves"], 2),
    (VALID + "-ow 8 -o 1 --config.source.max_fit=0", ["8 x 8 px", "11 px"], 2),
    (PLAN + "-p valid -o 5", ["at most 2 octaves"], 2),
]
MEASURE = [
    ("measure {nowhere} --source {good}", ["nowhere.png", "no such file"], 2),
    ("measure {nothing} --source {good}", ["nothing", "folder"], 2),
    ("measure {good}", ["--source", "--help"], 2),
    ("measure {good} --source {nothing}", ["nothing", "no pictures"], 2),
    ("measure {one} --source {good}", ["one.png", "1 x 1 px", "56 px"], 2),
    ("measure {good} --source {good} -sw 50", ["good.png", "50 x 40 px", "56 px"], 2),
    ("measure {good} --source {good} -sw -1", ["width", "-1"], 2),
    ("measure {good} --source {good} --octaves 0", ["--octaves is 0", "1"], 2),
    ("measure {good} --source {good} --layers 21", ["layer index 21", "0 (conv1_1) to 20"], 2),
    ("measure {good} --source {good} --weights {nowhere}", ["nowhere.png", "does not exist"], 2),
]
PLACES = [
    ("synthesize {good} --config random:tiny --output-dir {text}", ["text.png", "irectory"], 1),
    ("synthesize {good} --config random:tiny --output-dir {text}/in", ["text.png", "irectory"], 1),
    ("synthesize {good} --config random:tiny --run-dir {text}", ["text.png", "irectory"], 1),
    ("synthesize {good} --config random:tiny --run-dir {text}/in", ["text.png", "irectory"], 1),
    ("synthesize {good} --config random:tiny --run-dir {held}", ["held", "holds a run already", "--run-dir"], 2),
]
COMMAND = [
    ("", ["command"], 2),
    ("synthesise {good}", ["'synthesise'", "synthesize"], 2),
    ("synthesize {good} --octavs 3", ["--octavs", "--help"], 2),
    ("synthesize {good} --octav 3", ["--octav", "--help"], 2),
    ("synthesize {good} --config", ["--config", "argument"], 2),
    ("weights", ["action"], 2),
    ("weights lst", ["'lst'", "list"], 2),
    (RUN + "--seed symmetric --init {good}", ["--seed", "--init", "leave one"], 2),
    (RUN + "--seed symmetric --config.init.deviation=0.1", ["as a whole", "--config.init="], 2),
]
STARTS = [
    *((command + "--init {nowhere}", ["nowhere.png", "no such file"], 2) for command in (RUN, PLAN)),
    (RUN + "--init {text}", ["text.png", "no picture"], 2),
    (RUN + "--init {nothing}", ["nothing", "folder"], 2),
    (RUN + "--config.init={{'name':'picture'}}", ["picture", "path"], 2),
    (RUN + "--config.init={{'name':'symmetric','blur':-1.0}}", ["blur", "-1.0"], 2),
    (RUN + "--config.init.name=crop", ["crop", "'deviation'"], 2),
]
JOIN = "--config.terms.gram.join_"
JOINS = [
    *((command + JOIN + "weights=(1,2)", ["2 numbers", "1 source"], 2) for command in (RUN, PLAN)),
    ("synthesize {good} " + RUN.removeprefix("synthesize ") + JOIN + "weights=(1,2,3)", ["3 numbers", "2 sources"], 2),
    (RUN + JOIN + "weights=(-1,)", ["(-1,)", "numbers from 0"], 2),
    (RUN + JOIN + "weights=('a',)", ["join_weights[0]", "'a'"], 2),
    (RUN + JOIN + "position=0.25", ["0.25", "1 source"], 2),
    (RUN + JOIN + "position=nan", ["join_position", "nan"], 2),
    (RUN + JOIN + "regularization=-1", ["join_regularization", "-1"], 2),
    (RUN + "--join-mode max " + JOIN + "weights=(1,)", ["join_weights", "'max'"], 2),
]
ANIMATIONS = [
    *((command + "--if-weight 1", ["order", "is 2 with frames 1"], 2) for command in (RUN, PLAN)),
    *((RUN + f"-c 4 --if-order {n}", [f"order of the inter-frame loss is {n}"], 2) for n in (-1, 0, 4, 5)),
    (RUN + "--if-order 1.5", ["--if-order", "'1.5'"], 2),
    *((RUN + f"-c 4 --if-octaves {n}", [f"octaves of the inter-frame loss is {n}"], 2) for n in (-1, 0)),
    *((RUN + f"-c 4 --if-shift {x}", ["shift", x], 2) for x in ("-1", "nan", "inf")),
    (RUN + "-c 4 --if-weight nan", ["weight", "nan"], 2),
    (RUN + "-c 4 --if-distance-type lap2", ["'lap2'", "'lap1'"], 2),
    (RUN + "--config.frames=0", ["frames is 0", "1"], 2),
    ("synthesize {good} --config animation:tiny --output-dir {out} --config.frames=2", ["is 2 with frames 2"], 2),
    ("synthesize {good} --config novelty:tiny --output-dir {out} -j max", ["--join-mode", "setting 'join'"], 2),
]
TRANSFER = "transfer {good} {good} --config cnnmrf_transfer:tiny --output-dir {out} "
ANALOGY = "analogy {good} {good} {good} --config analogies:tiny --output-dir {out} "
REMATCH = "{{'m':{{'name':'mrf','weight':1.0,'layers':{{'conv3_1':1.0}},'octave_weights':(),'rematch':0}}}}"
TRANSFERS = [
    ("transfer", ["CONTENT", "--help"], 2),
    ("transfer {good}", ["no style", "after the content"], 2),
    ("transfer {nowhere} {good}", ["nowhere.png", "no such file"], 2),
    ("transfer {good} {nowhere}", ["nowhere.png", "no such file"], 2),
    ("transfer {good} {nothing}", ["nothing", "no pictures"], 2),
    ("transfer {one} {good} --config multiscale_style:tiny", ["the output is 1 x 1 px", "2 octaves", "at least"], 2),
    ("transfer {good} {good} --config random:tiny", ["nothing", "uses the content", "group='content'"], 2),
    ("transfer {good} {good} --config analogies:tiny", ["terms.analogy", "texjax analogy A A_PRIME B"], 2),
    ("transfer {good} {good} --config cnnmrf_transfer -d {narrow} --config.features.pool=average", ["no layer"], 2),
    ("synthesize {good} --config cnnmrf_transfer:tiny", ["needs the content", "texjax transfer CONTENT"], 2),
    (RUN + "--config.output.original_colors=True", ["original_colors needs the content", "texjax transfer"], 2),
    *((TRANSFER + f"--max-size {n}", [f"--max-size is {n}"], 2) for n in (0, -5)),
    (TRANSFER + "--content-weight nan", ["content.weight is nan"], 2),
    (TRANSFER + "--style-scale -1", ["source.fit is -1"], 2),
    (TRANSFER + "--jitter -1", ["jitter.pixels is -1", "from 0"], 2),
    (TRANSFER + "--config.jitter.every=0", ["jitter.every is 0", "from 1"], 2),
    (TRANSFER + "--style-blend-weights 1", ["--style-blend-weights", "Gram"], 2),
    (TRANSFER + "--analogy-w 1", ["--analogy-w", "--help"], 2),
    (TRANSFER + "--init {nowhere}", ["nowhere.png", "no such file"], 2),
    (TRANSFER + "--config.terms.content.group=contnt", ["'contnt'", "'content'"], 2),
    (TRANSFER + "--config.terms.mrf.rotations=-1", ["mrf.rotations is -1", "from 0"], 2),
    (TRANSFER + f"--config.terms={REMATCH}", ["rematch of the MRF loss is 0", "from 1"], 2),
    # Patches of 3 x 3 at conv3_1 need 3 of its pixels, and 9 px of the picture; those of 40 need 40, and 157 px.
    (TRANSFER + "--config.terms.mrf.patch=40", ["the output is 72 x 58 px", "at least 157 px"], 2),
    (TRANSFER + "-sw 14", ["turned and scaled", "halved 1 times", "at least 9 px"], 2),
    ("transfer {good} {good} --config multiscale_style:tiny --style-blend-weights 1,x", ["'1,x'", "one number"], 2),
    ("transfer {good} {good} --config multiscale_style:tiny --style-blend-weights 1,2", ["2 numbers", "1 source"], 2),
    ("analogy {good} {good}", ["B", "--help"], 2),
    ("analogy {good} {one} {good} --config analogies:tiny", ["good.png) is 80 x 64 px and A' (", "one size"], 2),
    (ANALOGY + "--config.terms.analogy.patch=40", ["the output", "at least 157 px"], 2),
]
ROWS = TRANSFERS + ANIMATIONS + STARTS + JOINS + SOURCES + WEIGHTS + NAMES + NUMBERS + MEASURE + PLACES + COMMAND


class Payload:
    """What a pickle would create where it is let."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def png(width: int, height: int) -> bytes:
    """A valid head of a PNG of that size, with a single row of data."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(3 * width + 1)))


def encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> dict[str, Path]:
    """The files that the rows name."""
    folder = tmp_path_factory.mktemp("given")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"features.0.weight": Payload(folder / "opened")}, 2))
    contents = {
        "good": ("good.png", encoded(picture, "PNG")),
        "empty": ("empty.png", b""),
        "cut_png": ("cut.png", encoded(picture, "PNG")[:2000]),
        "cut_jpg": ("cut.jpg", encoded(picture, "JPEG")[:1500]),
        "text": ("text.png", b"I am not a picture, and no weights either.\n"),
        "bomb": ("bomb.png", png(40_000, 40_000)),
        "one": ("one.png", encoded(picture.resize((1, 1)), "PNG")),
        "published": (catalog.FILES["vgg19"].filename, b"\x89HDF\r\n\x1a\n" + bytes(200)),
        "payload": ("payload.pth", archive.getvalue()),
        "broken": ("broken.py", b"def get_config(arg=None):\n    raise RuntimeError('no fun')\n"),
    }
    paths = {key: folder / name for key, (name, _) in contents.items()}
    for key, (_, data) in contents.items():
        paths[key].write_bytes(data)
    paths |= {key: folder / key for key in ("nothing", "held")} | {"nowhere": folder / "nowhere.png"}
    for key in ("nothing", "held"):
        paths[key].mkdir()
    (paths["nothing"] / "notes.txt").write_text("no picture here")
    (paths["held"] / "run.json").write_text("{}")
    paths["narrow"] = narrow(folder / "narrow.h5")
    return paths


def narrow(path: Path) -> Path:
    """A Keras file of a VGG-19 whose layers have four channels, up to conv2_2."""
    rng, channels = np.random.default_rng(0), 3
    with h5py.File(path, "w") as file:
        layers = [f"block{b}_conv{i}" for b in (1, 2) for i in (1, 2)]
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name in layers:
            group = file.create_group(name)
            arrays = {f"{name}_W_1:0": rng.normal(size=(3, 3, channels, 4)), f"{name}_b_1:0": rng.normal(size=4)}
            group.attrs["weight_names"] = [key.encode() for key in arrays]
            for key, array in arrays.items():
                group[key] = array.astype(np.float32)
            channels = 4
    return path


def tree(*folders: Path) -> dict[Path, bytes]:
    """All files in some folders and what is in them; folders too."""
    return {p: p.read_bytes() if p.is_file() else b"" for folder in folders for p in folder.rglob("*")}


def texjax(capsys, *words: object) -> tuple[int, str]:
    """The exit code of the command, and its one sentence."""
    with pytest.raises(SystemExit) as end:
        main.main(list(map(str, words)))
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert err.startswith("texjax: ") and err.endswith("\n") and err.count("\n") == 1, err
    assert end.value.code in (1, 2)
    return int(end.value.code), err.removeprefix("texjax: ").rstrip("\n")


def is_one_sentence(text: str) -> bool:
    """Ends like one; after "did you mean ...?" what is known may be listed."""
    return text[-1] in ".?" and ". " not in text and len(text) < 800


@pytest.mark.parametrize(("words", "keys", "code"), ROWS, ids=[row[0].replace(RUN, "") for row in ROWS])
def test_one_sentence_says_what_is_wrong(words, keys, code, given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = tree(given["good"].parent)
    filled = [word.format(**given, out=tmp_path / "out") for word in words.split()]
    got, sentence = texjax(capsys, *filled)
    assert got == code, sentence
    assert not [key for key in keys if key not in sentence], sentence
    assert is_one_sentence(sentence), sentence
    assert not list(tmp_path.iterdir()), "something was written"
    assert tree(given["good"].parent) == before, "a given folder has changed"


def test_no_weights_at_all(given, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalog, "candidates", lambda network: iter(()))
    monkeypatch.chdir(tmp_path)
    code, sentence = texjax(capsys, "synthesize", given["good"], "--config", "snelgrove:tiny")
    assert code == 2
    assert "texjax weights fetch vgg19" in sentence and "config texture" in sentence
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights do not bind this user")
def test_a_folder_without_rights(given, tmp_path, capsys):
    tmp_path.chmod(0o500)
    code, sentence = texjax(capsys, "synthesize", given["good"], "--config", "random:tiny", "--output-dir", tmp_path)
    tmp_path.chmod(0o700)
    assert code == 1 and str(tmp_path) in sentence


@pytest.mark.parametrize("full", ["progress", "config.json", "image.png"])
def test_a_full_disk(full, given, tmp_path, monkeypatch, capsys):
    """Whatever does not fit: one sentence, exit code 1, and every file that is there is whole."""
    replace = os.replace

    def refuse(source, target, **settings):
        if full in str(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return replace(source, target, **settings)

    monkeypatch.setattr(os, "replace", refuse)
    where = tmp_path / "run"
    words = ("--config", "random:tiny", "--config.optimizer={'name': 'adam'}")  # quickest to compile
    code, sentence = texjax(capsys, "synthesize", given["good"], *words, "--run-dir", where)
    assert code == 1, sentence
    assert "No space left on device" in sentence and full in sentence and is_one_sentence(sentence)
    assert not [path for path in where.rglob("*") if path.is_file() and path.name[0] == "."], "a part of a file is left"
    for path in where.rglob("*.json"):
        json.loads(path.read_text())
    for path in where.rglob("*.png"):
        Image.open(path).load()
