"""Nearest patches of a layer: rate against a plain matrix product, memory, and one evaluation against PyTorch's.

    python experiments/bench/matching.py [--side 128] [--channels 256] [--copies 9] [--bank-stride 2] [--memory 256]

As conv3_1 of a 512 px picture, against so many maps of its size; also --precision bf16, --steps 10 (of PatchMatch),
--repeats 3. Needs the `bench` extra. PyTorch unfolds image and bank and multiplies in blocks. Prints a Markdown table.
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

from texjax import losses
from texjax.losses.search import matching

DEFAULTS = {"side": 128, "channels": 256, "copies": 9, "bank-stride": 2, "memory": 256, "steps": 10, "repeats": 3}


def torch_evaluation(image, maps, stride, size):
    """() -> (value, gradient) of the energy, by unfold, products of `size` rows of the bank, and argmax."""
    image, *maps = (torch.from_numpy(np.array(x)).permute(2, 0, 1)[None] for x in (image, *maps))

    def evaluate():
        own = functional.unfold(image.requires_grad_(), 3)[0].T
        with torch.no_grad():
            best, match = torch.full((len(own),), -2.0), torch.zeros_like(own)
            unit = functional.normalize(own, dim=1)
            for one in maps:
                for part in functional.unfold(one, 3, stride=stride)[0].T.split(size):
                    top, at = (unit @ functional.normalize(part, dim=1).T).max(1)
                    better = top > best
                    best[better], match[better] = top[better], part[at[better]]
        value = ((own - match) ** 2).sum()
        return value.item(), torch.autograd.grad(value, image)[0]

    return evaluate


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--precision", default="float32")
    args = parser.parse_args()
    rng, memory = np.random.default_rng(0), args.memory * 2**20
    # Neighbors alike, as in features of pictures.
    coarse = rng.random((args.copies + 1, args.side // 8, args.side // 8, args.channels), np.float32)
    image, *maps = (jax.image.resize(one, (args.side, args.side, args.channels), "linear") for one in coarse)
    common = {"stride": 1, "bank_stride": args.bank_stride, "memory": memory}
    loss = losses.mrf(**common, precision=args.precision)
    quick = losses.mrf(**common, search="patchmatch", steps=args.steps)
    bank = loss.join([loss.summarize(x, None) for x in maps])
    m, n, k = (args.side - 2) ** 2, len(bank.corners), 9 * args.channels
    height, width = matching.blocks(m, n, k, memory)
    a, b = (jnp.asarray(rng.random((s, k), np.float32), matching.TYPES[args.precision]) for s in (height, width))
    product = jax.jit(lambda a, b: jnp.matmul(a, b.T, precision="highest", preferred_element_type=jnp.float32))
    exact = jax.jit(lambda x, bank: loss.prepare(x, bank, None)).lower(image, bank).compile()
    approximate = jax.jit(lambda x, bank: quick.prepare(x, bank, None))
    evaluate = jax.jit(jax.value_and_grad(lambda x, bank: loss.measure(x, bank, None)))
    calls = {
        "matching": lambda: exact(image, bank),
        "plain product": lambda: product(a, b),
        "PatchMatch": lambda: approximate(image, bank),
        "value and gradient": lambda: evaluate(image, bank),
        "value and gradient, PyTorch": torch_evaluation(image, maps, args.bank_stride, width),
    }
    found = {name: jax.block_until_ready(call()) for name, call in calls.items()}
    times = {name: [] for name in calls}
    for _ in range(args.repeats):
        for name, call in calls.items():
            begin = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - begin)
    seconds = {name: statistics.median(taken) for name, taken in times.items()}
    rates = {name: pairs / seconds[name] for name, pairs in (("matching", m * n), ("plain product", height * width))}
    print(f"{m} x {n} patches of {k}, {args.precision}, blocks of {height} x {width}, jax {jax.__version__}\n")
    print("| what | seconds | GFLOP/s |\n|---|---|---|")
    for name in calls:
        print(f"| {name} | {seconds[name]:.3f} | {f'{2e-9 * k * rates[name]:.0f}' if name in rates else ''} |")
    true, near, ours, theirs = (found[name] for name in calls if name != "plain product")
    similar = float(near.response.mean() / true.response.mean())
    needed, peak = exact.memory_analysis().temp_size_in_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\nmatching over plain product: {rates['matching'] / rates['plain product']:.2f}")
    print(f"PatchMatch: recall {float((true.index == near.index).mean()):.3f}, similarity {similar:.4f} of the exact")
    print(f"temporaries {needed / 2**20:.0f} MiB, budget {args.memory}; the process, at most {peak / 2**10:.0f} MiB")
    print(f"losses {float(ours[0]):.6g} and {theirs[0]:.6g}, of PyTorch")


if __name__ == "__main__":
    main()
