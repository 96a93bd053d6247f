"""Mean activation of every channel of a VGG over photographs: the numbers that `features.normalize` divides by.

    python experiments/measure_channel_means.py PHOTOGRAPHS WEIGHTS weights/vgg19_channel_means.safetensors

The network has average pooling and zero padding, and the means are over images and positions. The shipped file is from
1000 photographs of 288 x 288, one of each ImageNet class, which took about four minutes on two CPU cores.
"""

import argparse
from pathlib import Path

import rich.progress

from texjax import images
from texjax.features import vgg
from texjax.features.weights import catalog, files, normalization, origins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="folder of pictures")
    parser.add_argument("weights", type=Path, help="weight file of a VGG, not normalized")
    parser.add_argument("output", type=Path, help="safetensors file to write")
    args = parser.parse_args()

    weights = files.read(args.weights)
    layers = [name for name in weights.layers if name != "mean"]
    blocks = origins.BLOCKS[weights.metadata["network"]]
    extractor = vgg.extractor(weights.layers, blocks, pool="average", padding="same", precision="float32")
    paths = images.sources(args.photographs)
    pictures = (images.load(path) for path in rich.progress.track(paths, "measuring"))
    means = normalization.channel_means(extractor.apply, extractor.weights, pictures, layers)
    metadata = {
        "network": weights.metadata["network"],
        "preprocessing": weights.metadata["preprocessing"],
        "weights": args.weights.name,
        "weights_sha256": catalog.digest(args.weights),
        "photographs": str(len(paths)),
        "measured": "mean after the ReLU over images and positions; average pooling, zero padding",
    }
    # The first layer's bias tells later whether other weights are the ones that were measured.
    bias = weights.layers["conv1_1"]["bias"]
    files.save(args.output, {**means, normalization.FINGERPRINT: bias}, metadata)


if __name__ == "__main__":
    main()
