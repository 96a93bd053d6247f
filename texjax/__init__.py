"""Neural texture synthesis with JAX: from pictures of a texture to new pictures, any size, with the same look.

The functions below take and return arrays, [h, w, 3] of sRGB in [0, 1], and also take paths of pictures:

    import texjax

    image = texjax.synthesize("bark.jpg", size=(512, 512), seed=1)
    images = texjax.synthesize([a, b], config="texture:network=vgg19", count=4)
    for now in texjax.iterate(source, config="snelgrove"):
        print(now.step, now.loss)
    restyled = texjax.transfer(photo, painting)
    image = texjax.analogy(a, a_prime, b)
    network = texjax.train("bark.jpg")
    large = texjax.generate(network, size=(4096, 4096))
    texjax.measure(image, source)

The parts that they are built from are pure functions, for experiments of your own:

    net = texjax.features.compact()
    maps = net(image, ("conv1_1", "pool2"))
    gram = texjax.losses.gram()
    loss = texjax.losses.between(gram, net, a, b, layers={"pool1": 1.0})
    octaves = texjax.pyramid.gaussian(image, 4)

`texjax.images` reads and writes pictures, `texjax.config` loads configs, `texjax.optimizers` has the minimizers, and
`texjax.types` defines the contracts. The command line is `texjax --help`.
"""

import lazy_loader

__version__ = "0.2.0"

# Imported when first used, by the names in `__init__.pyi`: the command's --help shall not wait for JAX.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
