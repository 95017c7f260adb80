"""Known networks, written down from their papers as modules of torch: whole, or the part of them without branches.

Each is a function that gives the modules one after another, and the shape of its input (channels, height, width); of features
(channels, 1, 1). What an article leaves open, such as the padding, is as its authors' code has it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

Shape = tuple[int, int, int]
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {}


def network(name: str, *shape: int) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Enter a function under a name."""

    def enter(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        NETWORKS[name] = make, (shape[0], shape[1], shape[2])
        return make

    return enter


def block(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    """Convolution, batch normalisation, rectifier."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs),
    ]  # fmt: skip
    return nn.Sequential(*layers, *[nn.ReLU(inplace=True)] * act)


@network("LeNet-5", 1, 32, 32)
def lenet() -> nn.Module:
    """LeCun, Bottou, Bengio, Haffner 1998; C3 with all connections."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(16, 120, 5),
        nn.Tanh(), nn.Flatten(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


@network("AlexNet", 3, 227, 227)
def alexnet() -> nn.Module:
    """Krizhevsky, Sutskever, Hinton 2012, with its two halves as groups and its normalisation of responses."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2), nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(3, 2), nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(),
        nn.MaxPool2d(3, 2), nn.Flatten(), nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096),
        nn.ReLU(), nn.Linear(4096, 1000),
    )  # fmt: skip


def vgg(*widths: int) -> nn.Module:
    """Simonyan, Zisserman 2014; 0 is a pool. The classifier is a tenth as wide."""
    layers: list[nn.Module] = []
    inputs = 3
    for width in widths:
        layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)] if width else [nn.MaxPool2d(2, 2)]
        inputs = width or inputs
    head = nn.Sequential(nn.Linear(512 * 49, 409), nn.ReLU(True), nn.Dropout(), nn.Linear(409, 1000))
    named = OrderedDict(
        features=nn.Sequential(*layers), avgpool=nn.AdaptiveAvgPool2d((7, 7)), flat=nn.Flatten(), classifier=head
    )
    return nn.Sequential(named)


@network("VGG-11", 3, 224, 224)
def vgg11() -> nn.Module:
    return vgg(64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0)


@network("VGG-16", 3, 192, 256)
def vgg16() -> nn.Module:
    return vgg(64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)


@network("ZFNet", 3, 224, 224)
def zfnet() -> nn.Module:
    """Zeiler, Fergus 2013."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 7, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.LocalResponseNorm(5), nn.Conv2d(96, 256, 5, 2), nn.ReLU(),
        nn.MaxPool2d(3, 2, 1), nn.Conv2d(256, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 384, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(),
    )  # fmt: skip


@network("Network in Network", 3, 32, 32)
def nin() -> nn.Module:
    """Lin, Chen, Yan 2013, for CIFAR-10; sizes round up, as in Caffe. An average pool does not print ceil_mode."""
    return nn.Sequential(
        nn.Conv2d(3, 192, 5, padding=2), nn.ReLU(), nn.Conv2d(192, 160, 1), nn.ReLU(), nn.Conv2d(160, 96, 1), nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(), nn.Conv2d(96, 192, 5, padding=2), nn.ReLU(), nn.Conv2d(192, 192, 1),
        nn.ReLU(), nn.Conv2d(192, 192, 1), nn.ReLU(), nn.AvgPool2d(3, 2, 1), nn.Dropout(),
        nn.Conv2d(192, 192, 3, padding=1), nn.ReLU(), nn.Conv2d(192, 192, 1), nn.ReLU(), nn.Conv2d(192, 10, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(dim=1),
    )  # fmt: skip


@network("ResNet-18, stem", 3, 224, 224)
def resnet_stem() -> nn.Module:
    """He, Zhang, Ren, Sun 2015."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)
    )


@network("ResNet-18, the way through the blocks", 64, 56, 56)
def resnet_stages() -> nn.Module:
    widths = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
    stages = [
        nn.Sequential(
            block(a, b, 3, s), block(b, b, act=False), nn.ReLU(), block(b, b), block(b, b, act=False), nn.ReLU()
        )
        for a, b, s in widths
    ]
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(512, 1000))


@network("ResNet-50, a bottleneck and its shortcut", 256, 57, 57)
def bottleneck() -> nn.Module:
    return nn.Sequential(block(256, 128, 1), block(128, 128, 3, 2), block(128, 512, 1, act=False))


@network("MobileNet v1", 3, 224, 224)
def mobilenet() -> nn.Module:
    """Howard et al. 2017."""
    widths = [(32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)]
    widths += [(512, 512, 1)] * 5 + [(512, 1024, 2), (1024, 1024, 1)]
    layers = [block(3, 32, 3, 2), *(nn.Sequential(block(a, a, 3, s, a), block(a, b, 1)) for a, b, s in widths)]
    return nn.Sequential(*layers, nn.AvgPool2d(7), nn.Flatten(), nn.Linear(1024, 1000))


@network("MobileNet v2, inverted residuals", 24, 56, 56)
def mobilenet2() -> nn.Module:
    """Sandler et al. 2018."""
    widths = ((24, 32, 2), (32, 32, 1), (32, 64, 2), (64, 96, 1))
    layers: list[nn.Module] = []
    for a, b, s in widths:
        layers += [nn.Conv2d(a, 6 * a, 1, bias=False), nn.BatchNorm2d(6 * a), nn.ReLU6()]
        layers += [nn.Conv2d(6 * a, 6 * a, 3, s, 1, groups=6 * a, bias=False), nn.BatchNorm2d(6 * a), nn.ReLU6()]
        layers += [nn.Conv2d(6 * a, b, 1, bias=False), nn.BatchNorm2d(b)]
    return nn.Sequential(*layers)


@network("DenseNet, a layer and a transition", 64, 56, 56)
def densenet() -> nn.Module:
    """Huang, Liu, van der Maaten, Weinberger 2016."""
    return nn.Sequential(
        nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU(),
        nn.Conv2d(128, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 16, 1, bias=False),
        nn.AvgPool2d(2),
    )  # fmt: skip


@network("U-Net, down and up", 1, 572, 572)
def unet() -> nn.Module:
    """Ronneberger, Fischer, Brox 2015: two levels, without the skips."""
    double = lambda a, b: nn.Sequential(nn.Conv2d(a, b, 3), nn.ReLU(), nn.Conv2d(b, b, 3), nn.ReLU())
    return nn.Sequential(
        double(1, 16), nn.MaxPool2d(2), double(16, 32), nn.MaxPool2d(2), double(32, 64), nn.ConvTranspose2d(64, 32, 2, 2),
        double(32, 32), nn.ConvTranspose2d(32, 16, 2, 2), double(16, 16), nn.Conv2d(16, 2, 1),
    )  # fmt: skip


@network("DCGAN, generator", 100, 1, 1)
def generator() -> nn.Module:
    """Radford, Metz, Chintala 2015."""
    layers: list[nn.Module] = [nn.ConvTranspose2d(100, 512, 4, bias=False), nn.BatchNorm2d(512), nn.ReLU(True)]
    for a, b in ((512, 256), (256, 128), (128, 64)):
        layers += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())


@network("DCGAN, discriminator", 3, 64, 64)
def discriminator() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for a, b in ((64, 128), (128, 256), (256, 512)):
        layers += [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, bias=False), nn.Sigmoid())


@network("WGAN-GP, critic", 3, 64, 64)
def critic() -> nn.Module:
    """Gulrajani et al. 2017: layer normalisation instead of batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 5, 2, 2), nn.LeakyReLU(), nn.Conv2d(64, 128, 5, 2, 2), nn.LayerNorm([128, 16, 16]), nn.LeakyReLU(),
        nn.Conv2d(128, 256, 5, 2, 2), nn.LayerNorm([256, 8, 8], bias=False), nn.LeakyReLU(), nn.Flatten(), nn.Linear(256 * 64, 1),
    )  # fmt: skip


@network("pix2pix, PatchGAN", 6, 256, 256)
def patchgan() -> nn.Module:
    """Isola, Zhu, Zhou, Efros 2016: 70×70."""
    return nn.Sequential(
        nn.Conv2d(6, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 2, 1), nn.InstanceNorm2d(128), nn.LeakyReLU(0.2),
        nn.Conv2d(128, 256, 4, 2, 1), nn.InstanceNorm2d(256, affine=True), nn.LeakyReLU(0.2), nn.Conv2d(256, 512, 4, 1, 1),
        nn.InstanceNorm2d(512), nn.LeakyReLU(0.2), nn.Conv2d(512, 1, 4, 1, 1),
    )  # fmt: skip


@network("CycleGAN, generator", 3, 128, 160)
def cyclegan() -> nn.Module:
    """Zhu, Park, Isola, Efros 2017, as its residual blocks go through."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, 32, 7), nn.InstanceNorm2d(32), nn.ReLU(True)]
    for a, b in ((32, 64), (64, 128)):
        layers += [nn.Conv2d(a, b, 3, 2, 1), nn.InstanceNorm2d(b), nn.ReLU(True)]
    for _ in range(2):
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(128, 128, 3), nn.InstanceNorm2d(128), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(128, 128, 3), nn.InstanceNorm2d(128)]
    for a, b in ((128, 64), (64, 32)):
        layers += [nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1), nn.InstanceNorm2d(b), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(32, 3, 7), nn.Tanh())


@network("SRCNN", 1, 33, 33)
def srcnn() -> nn.Module:
    """Dong, Loy, He, Tang 2014."""
    return nn.Sequential(nn.Conv2d(1, 64, 9), nn.ReLU(), nn.Conv2d(64, 32, 1), nn.ReLU(), nn.Conv2d(32, 1, 5))


@network("FSRCNN", 1, 24, 32)
def fsrcnn() -> nn.Module:
    """Dong, Loy, Tang 2016, three times as large."""
    layers: list[nn.Module] = [nn.Conv2d(1, 56, 5, padding=2), nn.PReLU(56), nn.Conv2d(56, 12, 1), nn.PReLU(12)]
    for _ in range(4):
        layers += [nn.Conv2d(12, 12, 3, padding=1), nn.PReLU(12)]
    layers += [nn.Conv2d(12, 56, 1), nn.PReLU(), nn.ConvTranspose2d(56, 1, 9, 3, 4, output_padding=2)]
    return nn.Sequential(*layers)


@network("ESPCN", 1, 40, 50)
def espcn() -> nn.Module:
    """Shi et al. 2016."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh(), nn.Conv2d(32, 9, 3, padding=1),
        nn.PixelShuffle(3),
    )  # fmt: skip


@network("EDSR, its ends", 3, 48, 48)
def edsr() -> nn.Module:
    """Lim, Son, Kim, Nah, Lee 2017, four times as large."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1)]
    layers += [
        nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1)) for _ in range(2)
    ]
    layers += [nn.Sequential(nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2)) for _ in range(2)]
    return nn.Sequential(*layers, nn.Conv2d(64, 3, 3, padding=1))


@network("DnCNN", 1, 40, 40)
def dncnn() -> nn.Module:
    """Zhang, Zuo, Chen, Meng, Zhang 2016."""
    layers: list[nn.Module] = [nn.Conv2d(1, 64, 3, padding="same"), nn.ReLU(True)]
    for _ in range(15):
        layers += [nn.Conv2d(64, 64, 3, padding="same", bias=False), nn.BatchNorm2d(64), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.Conv2d(64, 1, 3, padding="same", bias=False))


@network("autoencoder", 1, 28, 28)
def autoencoder() -> nn.Module:
    """Masci et al. 2011, with a decoder that enlarges."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 7), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 7), nn.ReLU(), nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, 2, 1, 1), nn.Sigmoid(),
    )  # fmt: skip


@network("VAE, encoder", 3, 64, 64)
def encoder() -> nn.Module:
    """Kingma, Welling 2013, with convolutions."""
    layers: list[nn.Module] = []
    for a, b in ((3, 32), (32, 64), (64, 128), (128, 256)):
        layers += [nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 16, 128))


@network("VAE, decoder", 128, 1, 1)
def decoder() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Flatten(),
        nn.Linear(128, 256 * 16),
        nn.BatchNorm1d(256 * 16),
        nn.Unflatten(1, (256, 4, 4)),
    ]
    for a, b in ((256, 128), (128, 64), (64, 32), (32, 3)):
        layers += [nn.ConvTranspose2d(a, b, 3, 2, 1, 1), nn.BatchNorm2d(b), nn.LeakyReLU()]
    return nn.Sequential(*layers)


@network("FCN-32s", 3, 250, 320)
def fcn() -> nn.Module:
    """Long, Shelhamer, Darrell 2014, narrower."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=100), nn.ReLU(True), nn.MaxPool2d(2, 2, ceil_mode=True)]
    for a, b in ((16, 32), (32, 64), (64, 64), (64, 64)):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2, ceil_mode=True)]
    layers += [
        nn.Conv2d(64, 128, 7),
        nn.ReLU(True),
        nn.Dropout2d(),
        nn.Conv2d(128, 128, 1),
        nn.ReLU(True),
        nn.Dropout2d(),
    ]
    return nn.Sequential(*layers, nn.Conv2d(128, 21, 1), nn.ConvTranspose2d(21, 21, 64, 32, bias=False))


@network("SegNet", 3, 96, 128)
def segnet() -> nn.Module:
    """Badrinarayanan, Kendall, Cipolla 2015: its unpooling takes the places of the maxima, here an enlargement of its size."""
    layers: list[nn.Module] = []
    for a, b in ((3, 32), (32, 64), (64, 128)):
        layers += [block(a, b), block(b, b), nn.MaxPool2d(2, 2)]
    for a, b in ((128, 64), (64, 32), (32, 12)):
        layers += [nn.Upsample(scale_factor=2), block(a, a), block(a, b)]
    return nn.Sequential(*layers)


@network("Inception v3, stem", 3, 299, 299)
def inception() -> nn.Module:
    """Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2015."""

    def conv(a: int, b: int, k: int | tuple[int, int], s: int = 1, p: int | tuple[int, int] = 0) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(a, b, k, s, p, bias=False), nn.BatchNorm2d(b, eps=0.001), nn.ReLU())

    return nn.Sequential(
        conv(3, 32, 3, 2), conv(32, 32, 3), conv(32, 64, 3, p=1), nn.MaxPool2d(3, 2), conv(64, 80, 1), conv(80, 192, 3),
        nn.MaxPool2d(3, 2), conv(192, 64, 1), conv(64, 64, (1, 7), p=(0, 3)), conv(64, 192, (7, 1), p=(3, 0)),
    )  # fmt: skip


@network("SqueezeNet, a way through its fire modules", 3, 224, 224)
def squeezenet() -> nn.Module:
    """Iandola et al. 2016."""
    fire = lambda a, s, e: nn.Sequential(
        nn.Conv2d(a, s, 1), nn.ReLU(True), nn.Conv2d(s, e, 3, padding=1), nn.ReLU(True)
    )
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, ceil_mode=True), fire(64, 16, 64), fire(64, 16, 64),
        nn.MaxPool2d(3, 2, ceil_mode=True), fire(64, 32, 128), nn.Dropout(), nn.Conv2d(128, 1000, 1), nn.ReLU(True),
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
    )  # fmt: skip


@network("ShuffleNet, a unit", 240, 28, 28)
def shufflenet() -> nn.Module:
    """Zhang, Zhou, Lin, Sun 2017."""
    return nn.Sequential(
        nn.Conv2d(240, 60, 1, groups=3, bias=False), nn.BatchNorm2d(60), nn.ReLU(), nn.ChannelShuffle(3),
        nn.Conv2d(60, 60, 3, 2, 1, groups=60, bias=False), nn.BatchNorm2d(60), nn.Conv2d(60, 240, 1, groups=3, bias=False),
        nn.BatchNorm2d(240),
    )  # fmt: skip


@network("EfficientNet, stem and first block", 3, 224, 224)
def efficientnet() -> nn.Module:
    """Tan, Le 2019; asymmetric padding, as TensorFlow has it."""
    return nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, 1e-3), nn.SiLU(),
        nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), nn.BatchNorm2d(32), nn.SiLU(), nn.Conv2d(32, 16, 1, bias=False),
        nn.BatchNorm2d(16), nn.Conv2d(16, 96, 1), nn.SiLU(), nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(96, 96, 5, 2, groups=96),
    )  # fmt: skip


@network("ConvNeXt, stem and blocks", 3, 224, 224)
def convnext() -> nn.Module:
    """Liu et al. 2022; its layer normalisation as that of a single group, its linear layers as convolutions."""
    unit = lambda c: nn.Sequential(
        nn.Conv2d(c, c, 7, padding=3, groups=c),
        nn.GroupNorm(1, c),
        nn.Conv2d(c, 4 * c, 1),
        nn.GELU(),
        nn.Conv2d(4 * c, c, 1),
    )
    return nn.Sequential(
        nn.Conv2d(3, 96, 4, 4), nn.GroupNorm(1, 96), unit(96), unit(96), nn.GroupNorm(1, 96), nn.Conv2d(96, 192, 2, 2), unit(192),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(192), nn.Linear(192, 1000),
    )  # fmt: skip


@network("Tiny YOLO v2", 3, 416, 416)
def yolo() -> nn.Module:
    """Redmon, Farhadi 2016."""
    layers: list[nn.Module] = []
    for a, b in ((3, 16), (16, 32), (32, 64), (64, 128), (128, 256)):
        layers += [nn.Conv2d(a, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.1), nn.MaxPool2d(2, 2)]
    layers += [
        nn.Conv2d(256, 512, 3, 1, 1, bias=False),
        nn.BatchNorm2d(512),
        nn.LeakyReLU(0.1),
        nn.ZeroPad2d((0, 1, 0, 1)),
    ]
    return nn.Sequential(*layers, nn.MaxPool2d(2, 1), nn.Conv2d(512, 125, 1))


@network("YOLO v2, passthrough", 512, 26, 26)
def passthrough() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(512, 64, 1), nn.LeakyReLU(0.1), nn.PixelUnshuffle(2), nn.Conv2d(256, 32, 3, padding=1)
    )


@network("DeepLab v1, dilated end and its enlargement", 64, 41, 53)
def deeplab() -> nn.Module:
    """Chen, Papandreou, Kokkinos, Murphy, Yuille 2014."""
    return nn.Sequential(
        nn.MaxPool2d(3, 1, 1), *(nn.Conv2d(64, 64, 3, 1, 2, 2) for _ in range(3)), nn.Conv2d(64, 96, 3, padding=12, dilation=12),
        nn.ReLU(), nn.Dropout(), nn.Conv2d(96, 21, 1), nn.Upsample(size=(321, 417), mode="bilinear", align_corners=False),
    )  # fmt: skip


@network("pyramid pooling, one scale", 128, 60, 60)
def pyramid() -> nn.Module:
    """Zhao, Shi, Qi, Wang, Jia 2016: bins of six, and back."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(6), nn.Conv2d(128, 32, 1), nn.ReLU(), nn.UpsamplingBilinear2d(size=(60, 60))
    )


@network("WaveNet, as a picture of one row", 8, 1, 200)
def wavenet() -> nn.Module:
    """Van den Oord et al. 2016: dilated convolutions along one axis."""
    return nn.Sequential(*(nn.Conv2d(8, 8, (1, 2), dilation=(1, 2**n)) for n in range(6)), nn.Softmax2d())


@network("Spatial transformer, localisation", 1, 28, 28)
def localisation() -> nn.Module:
    """Jaderberg, Simonyan, Zisserman, Kavukcuoglu 2015."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 7), nn.MaxPool2d(2, stride=2), nn.ReLU(True), nn.Conv2d(8, 10, 5), nn.MaxPool2d(2, stride=2), nn.ReLU(True),
        nn.Flatten(), nn.Linear(10 * 3 * 3, 32), nn.ReLU(True), nn.Linear(32, 6, bias=False),
    )  # fmt: skip
