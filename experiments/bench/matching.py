"""Nearest patches of a layer: rate against a plain matrix product, memory, and one evaluation against PyTorch's.

    python experiments/bench/matching.py [--side 128] [--channels 256] [--copies 9] [--bank-stride 2] [--memory 256]

The defaults stand for conv3_1 of a 512 px picture, matched against as many maps of its size as there are copies. Other
options are --precision bf16, --steps 10 (of PatchMatch) and --repeats 3. Needs the `bench` extra: PyTorch unfolds image
and bank and multiplies them in blocks. The script prints a Markdown table.
"""

import argparse
import resource
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional

from texjax import losses, types
from texjax.losses.search import matching, patches

PATCH = 3
DEFAULTS = {"side": 128, "channels": 256, "copies": 9, "bank-stride": 2, "memory": 256, "steps": 10, "repeats": 3}


def torch_evaluation(image, maps, stride, size):
    """Return () -> (value, gradient) of the energy, by unfold, products of `size` rows of the bank, and argmax."""
    image, *maps = (torch.from_numpy(np.array(array)).permute(2, 0, 1)[None] for array in (image, *maps))

    def evaluate():
        queries = functional.unfold(image.requires_grad_(), PATCH)[0].T
        with torch.no_grad():
            best, matches = torch.full((len(queries),), -2.0), torch.zeros_like(queries)
            units = functional.normalize(queries, dim=1)
            for source in maps:
                for rows in functional.unfold(source, PATCH, stride=stride)[0].T.split(size):
                    cosines, indices = (units @ functional.normalize(rows, dim=1).T).max(1)
                    better = cosines > best
                    best[better], matches[better] = cosines[better], rows[indices[better]]
        value = ((queries - matches) ** 2).sum()
        return value.item(), torch.autograd.grad(value, image)[0]

    return evaluate


def feature_maps(rng, count, side, channels):
    """Return smooth noise [side, side, channels], because neighbors are alike in features of pictures too."""
    coarse = rng.random((count, side // 8, side // 8, channels), np.float32)
    return [jax.image.resize(noise, (side, side, channels), "linear") for noise in coarse]


def view(features):
    """Return what the loss sees of the features [side, side, channels] of one image."""
    return types.View(0, "conv3_1", 1.0, features[None])


def medians(calls, repeats):
    """Return the median seconds of each call; the calls take turns."""
    times = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begin = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--precision", default="float32")
    args = parser.parse_args()
    rng, memory = np.random.default_rng(0), args.memory * 2**20
    image, *maps = feature_maps(rng, args.copies + 1, args.side, args.channels)
    settings = {"patch": PATCH, "stride": 1, "bank_stride": args.bank_stride, "memory": memory}
    loss = losses.mrf(**settings, precision=args.precision)
    patchmatch = losses.mrf(**settings, search="patchmatch", steps=args.steps)
    banks = loss.join([loss.summarize([view(features)]) for features in maps])
    m, n, k = (args.side - PATCH + 1) ** 2, len(banks[0].corners), PATCH**2 * args.channels
    height, width = matching.blocks(m, n, k, memory)
    a, b = (jnp.asarray(rng.random((rows, k), np.float32), matching.TYPES[args.precision]) for rows in (height, width))

    def search(image, bank):
        queries = patches.extract([image], PATCH, 1)
        return matching.exact(queries, bank, patch=PATCH, precision=args.precision, memory=memory)

    product = jax.jit(lambda a, b: jnp.matmul(a, b.T, precision="highest", preferred_element_type=jnp.float32))
    exact = jax.jit(search).lower(image, banks[0]).compile()
    approximate = jax.jit(lambda image, banks: patchmatch.refresh([view(image)], banks, None, jax.random.key(0))[0])
    evaluate = jax.jit(jax.value_and_grad(lambda image, banks: loss.value([view(image)], banks)))
    calls = {
        "matching": lambda: exact(image, banks[0]),
        "plain product": lambda: product(a, b),
        "PatchMatch": lambda: approximate(image, banks),
        "value and gradient": lambda: evaluate(image, banks),
        "value and gradient, PyTorch": torch_evaluation(image, maps, args.bank_stride, width),
    }
    results = {name: jax.block_until_ready(call()) for name, call in calls.items()}
    seconds = medians(calls, args.repeats)
    rates = {name: pairs / seconds[name] for name, pairs in (("matching", m * n), ("plain product", height * width))}
    print(f"{m} x {n} patches of {k}, {args.precision}, blocks of {height} x {width}, jax {jax.__version__}\n")
    print("| what | seconds | GFLOP/s |\n|---|---|---|")
    for name in calls:
        print(f"| {name} | {seconds[name]:.3f} | {f'{2e-9 * k * rates[name]:.0f}' if name in rates else ''} |")
    true, near, ours, theirs = (results[name] for name in calls if name != "plain product")
    recall = float((true.index == near.index.reshape(-1)).mean())
    similarity = float(near.response.mean() / true.response.mean())
    temporaries, peak = exact.memory_analysis().temp_size_in_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\nmatching over plain product: {rates['matching'] / rates['plain product']:.2f}")
    print(f"PatchMatch: recall {recall:.3f}, similarity {similarity:.4f} of the exact")
    print(
        f"temporaries {temporaries / 2**20:.0f} MiB, budget {args.memory}; the process, at most {peak / 2**10:.0f} MiB"
    )
    print(f"losses {float(ours[0]):.6g} and {theirs[0]:.6g}, of PyTorch")


if __name__ == "__main__":
    main()
