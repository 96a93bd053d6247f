"""Exemplars of our own: procedural materials with structure at several sizes, free of anybody's rights.

    python experiments/exemplars.py OUT_DIR [--size 256] [--seed 0]

Every material is a pure function (size, seed) -> image, float32 [size, size, 3], sRGB in [0, 1], that tiles in both
directions and is the same for the same arguments. Materials are drawn at twice the size and halved, as a lens would
blur what is finer than a pixel.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments import drawing, lattices
from texjax import images


def pebbles(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw river pebbles of many rocks in dark wet gravel."""
    rng, n = drawing.rng_of("pebbles", seed), 2 * size
    y, x = drawing.grid(n)
    points, bits = drawing.scatter(rng, 95, 4), drawing.scatter(rng, 1500, 2)
    wy, wx = y + 0.005 * drawing.noise(rng, n, 2, high=30), x + 0.005 * drawing.noise(rng, n, 2, high=30)
    _, border, stone = drawing.worley(wy, wx, points, rng.uniform(0, 0.035, len(points)), soft=0.016)
    _, gap, bit = drawing.worley(wy, wx, bits, soft=0.003)
    inside = border - 0.001
    dome = 0.07 * np.sqrt(1 - (1 - np.clip(inside / 0.034, 0, 1)) ** 2)
    cover = drawing.smooth(0, 0.0025, inside)
    grain, mottle = drawing.noise(rng, n, 0.3, low=40), drawing.noise(rng, n, 1.4, low=4)
    rocks = drawing.colors(
        ["8d8f90", "666b6f", "b5a68c", "94705a", "d3ccbe", "4b4c50", "85806f", "84604f", "c2b59c", "a3a19a"]
    )
    albedo = (rocks[rng.integers(0, len(rocks), len(points))] * rng.uniform(0.75, 1.15, (len(points), 1)))[stone]
    # Some stones are speckled like granite, some banded, a few have a vein of quartz, all are mottled.
    speckled, banded, veined = (rng.random((3, len(points))) < [[0.4], [0.35], [0.15]])[:, stone]
    turn, pace = rng.uniform(0, np.pi, len(points))[stone], rng.uniform(150, 330, len(points))[stone]
    across = np.cos(turn) * y + np.sin(turn) * x + 0.010 * drawing.noise(rng, n, 1.7)
    bands = banded * 0.16 * np.sin(across * pace) + (0.06 + 0.26 * speckled) * grain
    albedo = albedo * np.exp(bands + 0.17 * mottle)[..., None]
    vein = veined * np.exp(-((np.sin(across * 45) / (0.05 + 0.03 * np.abs(mottle))) ** 2))
    albedo = drawing.mix(albedo, np.broadcast_to(drawing.colors(["ddd6c8"]), albedo.shape), 0.75 * vein)
    gravel = (
        drawing.ramp(rng.random(len(bits))[bit], ["2b2723", "574c40", "7d6f5d", "403c38"])
        * np.exp(0.2 * grain)[..., None]
    )
    bed = 0.010 * drawing.smooth(0, 0.010, gap) ** 0.5 + 0.002 * mottle - 0.012
    height = bed * (1 - cover) + cover * (dome + 0.0010 * mottle + 0.0002 * grain)
    return drawing.light(drawing.mix(gravel, albedo, cover), height, gloss=0.10, hollow=0.025)


def weave(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw a coarse tweed: two-over-two twill of spun wool, in which each thread has its own shade."""
    rng, n = drawing.rng_of("weave", seed), 2 * size
    y, x = drawing.grid(n)
    threads = 32
    sway = 0.10 / threads
    v = (y + sway * drawing.noise(rng, n, 1.8, high=30)) * threads
    u = (x + sway * drawing.noise(rng, n, 1.8, high=30)) * threads
    down, across = np.floor(u).astype(int) % threads, np.floor(v).astype(int) % threads
    # A warp thread is over for two wefts, then under for two, one further in each next column.
    swing_warp = np.sin((v - down - 0.5) * np.pi / 2 + np.pi / 4)
    swing_weft = -np.sin((across + 0.5 - np.floor(u) - 0.5 - (u % 1 - 0.5)) * np.pi / 2 + np.pi / 4)
    round_warp, round_weft = np.sqrt(1 - 0.9 * (2 * (u % 1) - 1) ** 2), np.sqrt(1 - 0.9 * (2 * (v % 1) - 1) ** 2)
    high_warp, high_weft = round_warp + 0.8 * swing_warp, round_weft + 0.8 * swing_weft
    over = drawing.smooth(-0.08, 0.08, high_warp - high_weft)
    ply_warp, ply_weft = np.sin(2 * np.pi * (1.5 * v + 1.0 * u)), np.sin(2 * np.pi * (1.5 * u + 1.0 * v))
    hair_warp, hair_weft = (
        drawing.noise(rng, n, 0.3, low=24, stretch=8),
        drawing.noise(rng, n, 0.3, low=24, stretch=1 / 8),
    )
    shade = rng.normal(0, 0.16, (2, threads))
    slub = drawing.noise(rng, n, 1.2, stretch=6), drawing.noise(rng, n, 1.2, stretch=1 / 6)
    warp = drawing.ramp(drawing.smooth(-2, 2, slub[0] + 3 * shade[0][down]), ["222d3e", "3a4f68", "66788a"])
    weft = drawing.ramp(drawing.smooth(-2, 2, slub[1] + 3 * shade[1][across]), ["a8875a", "cdb488", "e6d6b4"])
    warp = warp * np.exp(shade[0][down] + 0.22 * hair_warp + 0.10 * ply_warp)[..., None]
    weft = weft * np.exp(shade[1][across] + 0.16 * hair_weft + 0.10 * ply_weft)[..., None]
    fleck = drawing.smooth(2.3, 2.8, drawing.noise(rng, n, 0.6, low=12, high=60))
    albedo = drawing.mix(
        drawing.mix(weft, warp, over),
        drawing.ramp(drawing.noise(rng, n, 2, high=20) / 4 + 0.5, ["b5502c", "d9a441"]),
        fleck * 0.8,
    )
    albedo = albedo * np.exp(0.10 * drawing.noise(rng, n, 2, high=6))[..., None]
    height = np.maximum(high_warp, high_weft) + 0.05 * np.where(over > 0.5, hair_warp + ply_warp, hair_weft + ply_weft)
    return drawing.light(albedo, 0.35 / threads * height, hollow=0.012)


def bark(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw the bark of an old oak: long plates between deep furrows, fibers along them, and a little green on top."""
    rng, n = drawing.rng_of("bark", seed), 2 * size
    y, x = drawing.grid(n)
    fiber, flaw = drawing.noise(rng, n, 0.7, low=12, stretch=9), drawing.noise(rng, n, 1.1, low=5, stretch=0.35)
    rough, grain = drawing.noise(rng, n, 1.2, low=6), drawing.noise(rng, n, 0.3, low=50)
    wy = y + 0.020 * drawing.noise(rng, n, 2.2, high=20) + 0.002 * rough
    wx = (
        x
        + 0.016 * drawing.noise(rng, n, 2.2, high=20, stretch=2)
        + 0.0007 * fiber
        + 0.0020 * drawing.noise(rng, n, 1.3, low=8)
    )
    points, chips = drawing.scatter(rng, 60, 5), drawing.scatter(rng, 420, 3)
    _, border, plate = drawing.worley(wy, wx, points, stretch=3.6, soft=0.003)
    _, chipped, chip = drawing.worley(wy, wx, chips, stretch=2.2, soft=0.002)
    ridge = drawing.smooth(0.0005, 0.010, border)
    crack = (1 - drawing.smooth(0.0, 0.0028, chipped + 0.0012 * rough)) * drawing.smooth(0.2, 0.8, ridge)
    lift = rng.uniform(-1, 1, len(points))[plate] + 0.6 * rng.uniform(-1, 1, len(chips))[chip]
    height = 0.032 * ridge + ridge * (0.006 * lift - 0.006 * crack + 0.003 * rough) + 0.0013 * fiber + 0.0003 * grain
    height = height - 0.004 * drawing.smooth(1.0, 1.6, flaw) * ridge
    tone = np.clip(0.16 + 0.44 * ridge + 0.05 * lift + 0.09 * fiber + 0.10 * rough - 0.2 * crack, 0, 1)
    albedo = drawing.ramp(tone, ["2a1a12", "4a3526", "776050", "9f8d7b", "c2b5a4"])
    moss = drawing.smooth(0.4, 1.7, drawing.noise(rng, n, 1.7, high=30) + 0.5 * rough) * drawing.smooth(0.3, 0.9, ridge)
    albedo = drawing.mix(
        albedo, drawing.ramp(np.clip(0.5 + 0.2 * fiber + 0.1 * grain, 0, 1), ["55602f", "848d55", "b0b585"]), 0.6 * moss
    )
    return drawing.light(albedo * np.exp(0.10 * grain)[..., None], drawing.blur(height, 0.0012), hollow=0.03)


def bricks(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw a weathered wall in running bond: bricks fired unevenly, chipped, in sandy mortar."""
    rng, n = drawing.rng_of("bricks", seed), 2 * size
    y, x = drawing.grid(n)
    rows, columns = 10, 4
    v = (y + 0.0022 * drawing.noise(rng, n, 1.6, high=40)) * rows
    row = np.floor(v).astype(int) % rows
    u = (x + 0.0022 * drawing.noise(rng, n, 1.6, high=40)) * columns + 0.5 * (row % 2)
    brick = row * columns + np.floor(u).astype(int) % columns
    many = rows * columns
    chip = drawing.noise(rng, n, 1.3, low=5)
    edge = np.minimum(np.minimum(v % 1, 1 - v % 1) / rows, np.minimum(u % 1, 1 - u % 1) / columns)
    edge = edge - 0.0075 - 0.0018 * chip - 0.006 * drawing.smooth(1.2, 2.2, chip)
    face = drawing.smooth(0, 0.004, edge)
    grain, rough, pit = (
        drawing.noise(rng, n, 0.2, low=30),
        drawing.noise(rng, n, 1.1, low=8),
        drawing.noise(rng, n, 0.7, low=25, high=90),
    )
    kiln = np.clip(rng.normal(0.5, 0.23, many)[brick] + 0.09 * drawing.noise(rng, n, 1.6, low=3), 0, 1)
    albedo = drawing.ramp(kiln, ["58302a", "854435", "a05845", "b07058", "c29377"])
    albedo = albedo * np.exp(0.12 * rough + 0.10 * grain + rng.normal(0, 0.1, many)[brick])[..., None]
    holes = drawing.smooth(1.5, 2.2, pit)
    sand = drawing.ramp(np.clip(0.5 + 0.2 * grain + 0.15 * rough, 0, 1), ["7d7466", "a89f8e", "c9c1b0"])
    albedo = drawing.mix(sand, albedo * (1 - 0.5 * holes[..., None]), face)
    lime = drawing.smooth(0.8, 2.4, drawing.noise(rng, n, 1.6) + 0.4 * rough) * 0.55
    soot = np.exp(-0.18 * np.clip(drawing.noise(rng, n, 2, stretch=3), -1, 3))
    albedo = drawing.mix(albedo, np.broadcast_to(drawing.colors(["d9d2c6"])[0], albedo.shape), lime) * soot[..., None]
    tilt = rng.normal(0, 0.02, (2, many))
    lean = tilt[0][brick] * (v % 1 - 0.5) / rows * 4 + tilt[1][brick] * (u % 1 - 0.5) / columns * 4
    height = 0.016 * drawing.smooth(-0.002, 0.012, edge) + face * (lean + 0.0011 * rough - 0.0035 * holes)
    return drawing.light(albedo, height + 0.0003 * grain + (1 - face) * 0.0012 * rough, hollow=0.015)


def lichen(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw granite with crusts of lichen: colonies with pale growing rims, cracked into small islands within."""
    rng, n = drawing.rng_of("lichen", seed), 2 * size
    y, x = drawing.grid(n)
    rough, grain = drawing.noise(rng, n, 1.3, low=3), drawing.noise(rng, n, 0.2, low=40)
    minerals = drawing.worley(y + 0.0015 * grain, x + 0.0015 * grain, rng.random((4000, 2)))[2]
    albedo = drawing.ramp(rng.random(4000)[minerals], ["3d3d3e", "7d7a75", "9a968f", "aaa498", "a09082", "c4c1b8"])
    albedo = albedo * np.exp(0.12 * rough + 0.06 * grain)[..., None]
    height = 0.003 * rough + 0.0003 * grain + 0.006 * drawing.noise(rng, n, 2)
    lobes = 0.012 * drawing.noise(rng, n, 1.1, low=8, high=90) + 0.004 * drawing.noise(rng, n, 0.5, low=30)
    _, islet, _ = drawing.worley(y + 0.003 * rough, x + 0.003 * grain, drawing.scatter(rng, 2600, 2))
    kinds = [
        (16, 0.085, ["8f9a86", "a9b39c", "c4ccb6", "dfe3d2"]),
        (14, 0.060, ["b4741a", "d0921f", "e3ae35", "efc65c"]),
        (18, 0.040, ["3f3b34", "57524a", "6f6a60", "8d887c"]),
        (9, 0.050, ["c9cbb0", "dcdec6", "ecead8", "f3f1e4"]),
    ]
    for count, radius, palette in kinds:
        grown = rng.lognormal(0, 0.45, count) * radius
        first, _, owner = drawing.worley(y, x, drawing.scatter(rng, count, 2), grown)
        depth = -first + lobes  # how far inside the edge
        cover = drawing.smooth(0, 0.004, depth)
        rim = np.exp(-np.clip(depth, 0, None) / 0.010)
        cracks = drawing.smooth(0.0005, 0.0030, islet + 0.0022 * rim)
        # Old centers die and bare the rock.
        alive = 1 - drawing.smooth(0.6, 1.4, depth / grown[owner] * 1.3 + 0.35 * rough - 0.1)
        cover = cover * np.maximum(alive, rim)
        tone = np.clip(0.35 + 0.6 * rim + 0.10 * rough + 0.05 * grain, 0, 1)
        albedo = drawing.mix(albedo, drawing.ramp(tone, palette) * (0.45 + 0.55 * cracks[..., None]), cover)
        height = height + cover * (0.003 + 0.0025 * cracks)
    return drawing.light(albedo, height, hollow=0.01)


def paint(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw peeling paint on rusting iron: flakes with curled edges, and rust that runs from under them."""
    rng, n = drawing.rng_of("paint", seed), 2 * size
    y, x = drawing.grid(n)
    rough, grain = drawing.noise(rng, n, 1.2, low=4), drawing.noise(rng, n, 0.3, low=30)
    wear = drawing.noise(rng, n, 1.75, low=2) + 0.10 * drawing.noise(rng, n, 0.9, low=20)
    _, border, flake = drawing.worley(
        y + 0.010 * drawing.noise(rng, n, 1.6, low=5),
        x + 0.010 * drawing.noise(rng, n, 1.6, low=5),
        drawing.scatter(rng, 420, 4),
    )
    # Paint cracks into flakes; whole flakes go where the wear is.
    gone = wear - 0.55 + 0.35 * rng.standard_normal(420)[flake]
    cover = drawing.smooth(-0.03, 0.03, -gone) * drawing.smooth(
        0.0008, 0.0022, border + 0.004 * drawing.smooth(0.2, 0.9, -wear)
    )
    rust = drawing.ramp(
        np.clip(0.45 + 0.17 * rough + 0.10 * grain + 0.10 * wear, 0, 1),
        ["1f120d", "4a2212", "7d3a17", "a85a22", "c98443"],
    )
    coat = drawing.ramp(
        np.clip(0.5 + 0.13 * drawing.noise(rng, n, 1.8) + 0.03 * grain, 0, 1), ["1f5f66", "2f8388", "58a5a2", "8fc4b8"]
    )
    under = drawing.smooth(0.1, 0.9, drawing.blur(1 - cover, 0.012) * 1.5 + 0.12 * rough)
    coat = drawing.mix(coat, coat * [0.75, 0.42, 0.22] + [0.10, 0.03, 0.005], under * 0.75)
    streak = drawing.blur_down(1 - cover, 0.14) * drawing.smooth(
        -0.5, 1.5, drawing.noise(rng, n, 1.0, low=8, stretch=12)
    )
    coat = drawing.mix(coat, np.broadcast_to(drawing.colors(["8a4a20"])[0], coat.shape), np.clip(1.3 * streak, 0, 0.6))
    curl = np.exp(-np.clip(border, 0, None) / 0.004) * drawing.smooth(-0.6, 0.2, wear)
    relief = 0.004 * drawing.noise(rng, n, 2) + 0.0005 * rough
    height = cover * (0.006 + 0.004 * curl + 0.0001 * grain) + (1 - cover) * (0.0025 * rough + 0.0006 * grain) + relief
    return drawing.light(drawing.mix(rust, coat, cover), height, gloss=0.05, hollow=0.01)


MATERIALS = {draw.__name__: draw for draw in (pebbles, weave, bark, bricks, lichen, paint)} | lattices.MATERIALS


def main(arguments: Sequence[str] | None = None) -> None:
    """Write every material to OUT_DIR/name.png."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for name, material in MATERIALS.items():
        images.save(args.out_dir / f"{name}.png", material(args.size, args.seed))


if __name__ == "__main__":
    main()
