"""The page of runs without a browser: its content, its links, safety against markup, measures, and the server."""

import base64
import contextlib
import http.client
import io
import json
import os
import re
import struct
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors, images, measures
from texjax.cli import main
from texjax.images import thumbnails
from texjax.report import data, server, tensorboard
from texjax.report import page as pages
from texjax.runs import archive, measured

NASTY = ["<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "a\"b'c&amp;", "a\u2028b\u2029c", "<!--"]


def noise(path: Path, height: int = 40, width: int = 60, seed: int = 0) -> Path:
    """Write a picture of noise and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)).save(path)
    return path


def record(directory: Path, source: Path, config: dict | None = None, lines: list | None = None, **about) -> Path:
    """Make a run directory as `texjax synthesize` does, without its pictures; `about` overrides keys of run.json."""
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(
        json.dumps({"octaves": 2, "terms": {"gram": {"weight": 1.0}}} | (config or {}))
    )
    sources = {"sources": [{"name": source.name, "sha256": "0"}], "source_paths": [str(source)]}
    run = {"status": "finished", "command": "texjax synthesize", "seconds": 3.5, "peak_bytes": 2**20, "steps": 2}
    (directory / "run.json").write_text(json.dumps(run | sources | about))
    lines = [{"step": i, "loss": 10.0**-i, "terms": {"gram": 10.0**-i}} for i in range(3)] if lines is None else lines
    (directory / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return directory


def sweep(folder: Path, runs: dict[str, dict]) -> Path:
    """Make `folder` a sweep directory of runs {id: swept}."""
    lines = [{"id": name, "swept": swept, "command": f"texjax synthesize {name}"} for name, swept in runs.items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.json").write_text(json.dumps({"version": archive.VERSION, "config": "x", "runs": lines}))
    return folder


def read(page: Path) -> dict:
    """Return the data in a page, read as a browser reads it: up to the first end tag."""
    start = '<script type="application/json" id="data">'
    text = page.read_text()
    assert text.count(start) == 1
    return json.loads(text.partition(start)[2].partition("</script>")[0])


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A sweep with a finished run, one of two outputs, a failed, a damaged and a pending one."""
    source = noise(tmp_path / "given" / "bark.png")
    folder = sweep(
        tmp_path / "sweep", {name: {"octaves": i, "source": "bark.png"} for i, name in enumerate("abcde", 1)}
    )
    noise(record(folder / "runs" / "a", source, {"octaves": 1}) / "image.png")
    two = record(folder / "runs" / "b", source, {"octaves": 2})
    for i in range(2):
        noise(two / f"image_{i:04d}.png", seed=i)
    record(folder / "runs" / "c", source, {"octaves": 3}, status="failed", error="the loss is no number")
    (folder / "runs" / "d").mkdir()
    (folder / "runs" / "d" / "run.json").write_text("{")
    return folder


def test_what_the_page_holds(small):
    (small / "runs" / "a" / "measures.json").write_text('{"seam": 1.25, "odd": "text"}')
    content = read(pages.write(small))
    runs = {run["id"]: run for run in content["runs"]}
    assert list(runs) == ["a", "b", "c", "e"]
    assert [run["status"] for run in runs.values()] == ["finished", "finished", "failed", "pending"]
    assert len(content["problems"]) == 1 and "runs/d" in content["problems"][0]
    a = runs["a"]
    assert (a["swept"], a["measures"]) == ({"octaves": 1, "source": "bark.png"}, {"seam": 1.25})
    assert (a["steps"], a["seconds"], a["peak_bytes"], a["loss"]) == (2, 3.5, 2**20, 0.01)
    assert a["curve"] == {"step": [0, 1, 2], "loss": [1.0, 0.1, 0.01]}  # a single term is the loss
    assert runs["c"]["error"] == "the loss is no number"
    assert (runs["e"]["command"], runs["e"]["begun"], runs["e"]["pictures"]) == ("texjax synthesize e", False, [])
    names = [[content["pictures"][i]["name"] for i in run["pictures"]] for run in runs.values()]
    assert names == [["image.png"], ["image_0000.png", "image_0001.png"], [], []]
    assert a["sources"] == runs["b"]["sources"]  # in the page once


def test_what_differs_is_told_from_what_is_common(small):
    content = read(pages.write(small))
    assert content["common"] == {"terms.gram.weight": 1.0}
    assert [run["config"] for run in content["runs"]] == [{"octaves": 1}, {"octaves": 2}, {"octaves": 3}, {}]
    assert data.common_items([{"x": 1}, {"x": True}]) == {}


def test_one_run_and_a_folder_of_runs(tmp_path):
    one = record(tmp_path / "runs" / "one", noise(tmp_path / "a.png"))
    noise(one / "image.png")
    assert [run["id"] for run in read(pages.write(one))["runs"]] == ["one"]
    noise(record(tmp_path / "deep" / "two", tmp_path / "a.png") / "image.png")
    assert [run["id"] for run in read(pages.write(tmp_path))["runs"]] == ["deep/two", "one"]


@pytest.mark.parametrize("name", ["plain", "a b#c?d%20", "ü:\u2028"])
def test_links_are_right_from_anywhere(tmp_path, name):
    folder = tmp_path / name
    picture = noise(record(folder / "runs" / "x", noise(tmp_path / "a#.png")) / "image.png")
    (tmp_path / "else").mkdir()
    for page in (folder / "report.html", tmp_path / "else" / "page.html"):
        content = read(pages.write(folder, page))
        (run,) = content["runs"]
        result, source = (content["pictures"][run[key][0]]["src"] for key in ("pictures", "sources"))
        base = page.as_uri()
        assert urllib.parse.urljoin(base, result) == picture.as_uri().replace(":", "%3A").replace("file%3A", "file:")
        assert Path(urllib.parse.unquote(urllib.parse.urljoin(base, source))[7:]).name == "a#.png"


def test_embedded_pictures_are_the_files(tmp_path):
    folder = record(tmp_path / "run", noise(tmp_path / "a.jpg"))
    result = noise(folder / "image.png")
    content = read(pages.write(folder, embed=True))
    uris = {picture["name"]: picture["src"] for picture in content["pictures"]}
    assert base64.b64decode(uris["image.png"].partition(",")[2]) == result.read_bytes()
    assert uris["a.jpg"].startswith("data:image/jpeg;base64,")


def test_what_browsers_do_not_show_is_a_png(tmp_path):
    folder = record(tmp_path / "run", noise(tmp_path / "a.png"))
    picture = noise(folder / "image.tiff")
    content = read(pages.write(folder))
    uri = content["pictures"][0]["src"]
    assert uri.startswith("data:image/png;")
    np.testing.assert_array_equal(np.asarray(decoded(uri)), np.asarray(Image.open(picture)))


@pytest.mark.parametrize(("sides", "small"), [((400, 300), (192, 144)), ((100, 800), (24, 192)), ((60, 40), (60, 40))])
def test_thumbnails(tmp_path, sides, small):
    """By hand: the longer side becomes 192 px, the other keeps the ratio; nothing is enlarged."""
    thumbnail = thumbnails.small(noise(tmp_path / "a.png", sides[1], sides[0]))
    picture = decoded(thumbnail.uri)
    assert (picture.format, picture.size, thumbnail[1:]) == ("WEBP", small, sides)


def test_sources_that_are_gone(tmp_path):
    source = noise(tmp_path / "a.png")
    noise(record(tmp_path / "runs" / "gone", tmp_path / "gone.png") / "image.png")
    noise(record(tmp_path / "runs" / "old", source) / "image.png")
    old = tmp_path / "runs" / "old" / "run.json"
    old.write_text(json.dumps({key: v for key, v in json.loads(old.read_text()).items() if key != "source_paths"}))
    (tmp_path / "broken.png").write_text("no picture")
    noise(record(tmp_path / "runs" / "torn", tmp_path / "broken.png") / "image.png")
    content = read(pages.write(tmp_path))
    assert [content["pictures"][run["sources"][0]] for run in content["runs"]] == [
        {"name": "gone.png"},
        {"name": "a.png"},
        {"name": "broken.png"},
    ]


def test_a_transfer_shows_its_content(tmp_path):
    paths = {group: noise(tmp_path / f"{group}.png") for group in ("content", "analogy")}
    about: dict[str, Any] = {group: [{"name": path.name, "sha256": ""}] for group, path in paths.items()}
    about |= {f"{group}_paths": [str(path)] for group, path in paths.items()}
    folder = record(tmp_path / "run", noise(tmp_path / "a.png"), **about)
    noise(folder / "image.png")
    content = read(pages.write(folder))
    run = content["runs"][0]
    pictures = [content["pictures"][run[group][0]] for group in ("content", "analogy")]
    assert [picture["name"] for picture in pictures] == ["content.png", "analogy.png"]
    assert [picture["src"] for picture in pictures] == ["../content.png", "../analogy.png"]


def test_curves_have_few_points():
    """Of 1001 steps about every tenth, with means over outputs; a value that is no number becomes null."""
    lines = [{"step": i, "loss": [1.0, 3.0], "terms": {"a": 0.123456, "b": float("nan")}} for i in range(1001)]
    curve = data.curve(lines)
    assert curve["step"][:3] == [0, 10, 20] and curve["step"][-1] == 1000
    assert {len(values) for values in curve.values()} == {data.POINTS}
    assert (curve["loss"][0], curve["term a"][0], curve["term b"][0]) == (2.0, 0.1235, None)
    assert data.curve([]) == {"step": [], "loss": []}
    assert data.curve(lines[:1])["step"] == [0]


def test_what_is_no_number_in_json(tmp_path):
    folder = record(tmp_path / "run", noise(tmp_path / "a.png"), {"tol": float("inf"), "list": [float("nan")]})
    noise(folder / "image.png")
    text = pages.write(folder).read_text()
    assert read(folder / "report.html")["common"]["tol"] == "inf"
    assert not re.search(r"[:\[,] ?(NaN|-?Infinity)", text)


def test_no_name_or_value_becomes_markup(tmp_path):
    folder = sweep(tmp_path / "sweep", {f"r{i}": {word: word, "source": word} for i, word in enumerate(NASTY)})
    for i, word in enumerate(NASTY):
        source = noise(tmp_path / f"{word.replace('/', '_')}.png")
        record(folder / "runs" / f"r{i}", source, {word: word}, status="failed", error=word, command=word)
    (folder / "sweep.json").write_text((folder / "sweep.json").read_text().replace('"r0"', '"<b>r0"', 1))
    (folder / "runs" / "<b>r0").mkdir()
    (folder / "runs" / "<b>r0" / "run.json").write_text("{")
    page = pages.write(folder)
    text = page.read_text()
    runs = read(page)["runs"]
    assert [run["error"] for run in runs] == NASTY[1:]
    assert [run["swept"][word] for run, word in zip(runs, NASTY[1:], strict=True)] == NASTY[1:]
    assert text.count("</script>") == 2 and "onerror=alert(1)>" not in text
    assert "<b>" not in text and "&lt;b&gt;r0" in text  # the sentence about the damaged run, which the template writes
    assert not re.search("[\u2028\u2029]", text)


def test_a_name_that_is_not_unicode(tmp_path):
    folder = record(tmp_path / os.fsdecode(b"run\xff"), noise(tmp_path / "a.png"))
    noise(folder / "image.png")
    assert read(pages.write(folder))["runs"][0]["id"] == os.fsdecode(b"run\xff")


def test_the_page_contacts_no_server(small):
    text = pages.write(small).read_text()
    head = text.partition('<script type="application/json"')[0]
    assert set(re.findall(r'(?:src|href|action)="([^"]*)"', head)) == {"data:,"}
    assert "url(" not in text and "@import" not in text
    addresses = set(re.findall(r"https?://[^\s\"'`]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in head


def test_errors_are_one_sentence(tmp_path, capsys):
    folder = record(tmp_path / "run", noise(tmp_path / "a.png"))
    noise(folder / "image.png")
    (tmp_path / "empty").mkdir()
    for words, text, code in [
        ([tmp_path / "none"], "is no directory", 2),
        ([tmp_path / "empty"], "holds no run", 2),
        ([folder, "--output", tmp_path / "none" / "page.html"], "cannot write", 1),
        ([folder, "--serve", "70000"], "from 0 to 65535", 2),
        ([folder, "--serve", "0", "--embed"], "writes no page", 2),
    ]:
        with pytest.raises(SystemExit) as end:
            main.main(["report", *map(str, words)])
        err = capsys.readouterr().err
        assert end.value.code == code and text in err and err.count("\n") == 1


def test_the_command(small, capsys):
    with pytest.raises(SystemExit) as end:
        main.main(["report", str(small)])
    assert (end.value.code, capsys.readouterr().out.strip()) == (0, str(small / "report.html"))


def test_the_page_needs_no_jax():
    check = "import sys, texjax.report.page, texjax.report.server, texjax.cli.report; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_measures_are_stored(tmp_path):
    """Of the pictures as the run saw them, the source reduced from a width of 128 to 64 px; measured once only."""
    source = noise(tmp_path / "a.png", 128, 128, seed=1)
    config = configs.load("random:tiny", ["--config.source.width=64"]).to_dict()
    folder = record(tmp_path / "run", source, config)
    result = noise(folder / "image.png", 64, 64, seed=2)
    run = archive.read(folder, {})
    expected = measures.measure_all(images.load(result), [images.load(source, width=64)])
    assert measured.of_run(run) == pytest.approx(expected)
    assert archive.measures(folder) == pytest.approx(expected)
    (folder / "measures.json").write_text(json.dumps(expected | {"seam": 7.0}))
    assert measured.of_run(run)["seam"] == 7.0  # as stored, not measured again
    os.utime(result, (2**32, 2**32))
    assert measured.of_run(run)["seam"] == pytest.approx(expected["seam"])  # measured again, as the picture is newer


def test_a_transparent_result_is_measured_over_the_background_of_its_run(tmp_path):
    """And a run of an earlier version, which had no key source.alpha, over it likewise."""
    source = noise(tmp_path / "a.png", 64, 64, seed=1)
    config = configs.load("random:tiny", ["--config.source.background=(0.0,0.5,1.0)"]).to_dict()
    color, alpha = np.random.default_rng(2).random((64, 64, 3)), np.random.default_rng(3).random((64, 64, 1))
    for name in ("new", "old"):
        folder = record(tmp_path / name, source, config)
        images.save(folder / "image.png", np.concatenate([color, alpha], -1))
        levels = np.asarray(Image.open(folder / "image.png"), np.float32) / 255
        over = levels[..., 3:] * levels[..., :3] + (1 - levels[..., 3:]) * np.array([0, 0.5, 1])
        expected = measures.measure_all(over.astype(np.float32), [images.load(source)])
        assert measured.of_run(archive.read(folder, {})) == pytest.approx(expected, rel=1e-3)
        config["source"].pop("alpha", None)


def test_what_cannot_be_measured(tmp_path, capsys):
    config = configs.load("random:tiny").to_dict()
    tiny = record(tmp_path / "runs" / "tiny", noise(tmp_path / "a.png"), config)
    noise(tiny / "image.png")
    assert measured.of_run(archive.read(tiny, {})) == {}
    noise(record(tmp_path / "runs" / "gone", tmp_path / "gone.png", config) / "image.png")
    with pytest.raises(SystemExit) as end:
        main.main(["report", str(tmp_path / "runs" / "gone"), "--measure"])
    assert end.value.code == 0 and "is not measured" in capsys.readouterr().err
    (tiny / "measures.json").write_text("[1")
    assert archive.measures(tiny) == {}


@contextlib.contextmanager
def served(folder: Path):
    """Serve the page of a folder; yields a function from a path to a response's status and body, and the port."""
    link = pages.served_link(folder)
    bound = server.bind(folder, 0, lambda version: data.collect(folder, link, version), pages.render)
    thread = threading.Thread(target=bound.serve_forever)
    thread.start()

    def get(path: str, host: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", bound.server_port, timeout=20)
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{bound.server_port}"})
        response = connection.getresponse()
        status, body = response.status, response.read()
        connection.close()
        return status, body

    try:
        yield get, bound.server_port
    finally:
        bound.shutdown()
        thread.join()
        bound.server_close()


def test_the_server_shows_new_records(small):
    with served(small) as (get, _):
        assert get("/")[0] == 200
        version = json.loads(get("/-/version")[1])
        before = json.loads(get("/-/data")[1])
        assert (before["live"], len(before["runs"])) == (version, 4)
        source = before["pictures"][before["runs"][0]["sources"][0]]
        assert source["src"].startswith("data:image/png")  # embedded, as it is not below the directory
        result = before["pictures"][before["runs"][0]["pictures"][0]]["src"]
        assert get(f"/{result}") == (200, (small / "runs" / "a" / "image.png").read_bytes())
        noise(record(small / "runs" / "e", small.parent / "given" / "bark.png") / "image.png")
        after = json.loads(get("/-/data")[1])
        assert after["live"] == json.loads(get("/-/version")[1]) != version
        assert after["runs"][-1]["status"] == "finished"


def test_the_server_shows_no_other_files(small):
    (small / "out").symlink_to(small.parent)
    with served(small) as (get, _):
        assert get("/../given/bark.png")[0] == 404
        assert get("/%2e%2e/given/bark.png")[0] == 404
        assert get("/out/given/bark.png")[0] == 404
        assert get("/runs/")[0] == 404
        assert get("/-/version", host="example.org")[0] == 403


def test_headers_are_for_this_machine_too_and_types_are_not_guessed(small):
    with served(small) as (_, port):
        for host, status in (("example.org", 403), (f"localhost:{port}", 200)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("HEAD", "/runs/a/image.png", headers={"Host": host})
            response = connection.getresponse()
            assert response.status == status and response.headers["X-Content-Type-Options"] == "nosniff"
            connection.close()


def test_the_page_is_rendered_once_for_each_version(small, monkeypatch):
    render, rendered = pages.render, []
    monkeypatch.setattr(pages, "render", lambda content: rendered.append(content["live"]) or render(content))
    with served(small) as (get, _):
        first, second = get("/"), get("/")
        assert first == second and len(rendered) == 1
        noise(record(small / "runs" / "f", small.parent / "given" / "bark.png") / "image.png")
        assert get("/")[0] == 200 and len(set(rendered)) == 2


def test_a_port_in_use(small, capsys):
    with served(small) as (_, port), pytest.raises(SystemExit) as end:
        main.main(["report", str(small), "--serve", str(port)])
    assert end.value.code == 1 and "it is in use" in capsys.readouterr().err


def test_ctrl_c_ends_the_server(small, capsys, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("socketserver.BaseServer.serve_forever", interrupted)
    with pytest.raises(SystemExit) as end:
        main.main(["report", str(small), "--serve", "0"])
    assert end.value.code == 130 and "http://127.0.0.1:" in capsys.readouterr().out


def test_tensorboard(small, tmp_path, capsys):
    events = pytest.importorskip("tensorboardX.proto.event_pb2")
    with pytest.raises(SystemExit) as end:
        main.main(["report", str(small), "--tensorboard", str(tmp_path / "board")])
    assert end.value.code == 0, capsys.readouterr().err
    (path,) = (tmp_path / "board" / "a").iterdir()
    records, losses, tags = path.read_bytes(), [], set()
    while records:  # a record is its length in 8 bytes, a checksum in 4, an event, and a checksum in 4
        (length,) = struct.unpack("<Q", records[:8])
        for value in events.Event.FromString(records[12 : 12 + length]).summary.value:
            tags.add(value.tag)
            losses += [value.simple_value] if value.tag == "loss" else []
        records = records[16 + length :]
    assert losses == pytest.approx([1.0, 0.1, 0.01])
    assert {"loss", "terms/gram", "image"} <= tags


def test_tensorboard_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(errors.TexjaxError, match=r"texjax\[tb\]"):
        tensorboard.write([], Path())
