"""Layers as PyTorch, Keras and ONNX write them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from convcli.arithmetic import layers
from convcli.arithmetic.kinds import Layer
from convcli.errors import GeometryError
from support.chains import walk
from support.cli import done, run


def words(text: str) -> str:
    """The chain that a text means, in words."""
    return " ".join(layer.text for layer in layers.parse(text))


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("Conv2d(3, 32, 3)", "conv:k3,c32"),
        ("Conv2d(3, 32, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))", "conv:k3,s2,p1,c32"),
        ("nn.Conv2d(3, 64, 7, 2, 3, bias=False)", "conv:k7,s2,p3,c64,nobias"),
        ("Conv2d(3, 8, kernel_size=(1, 5), padding=same)", "conv:k1x5,psame,c8"),
        ("Conv2d(8, 8, 3, groups=8, dilation=2)", "conv:k3,d2,c8,g8"),
        ("ConvTranspose2d(8, 4, 3, 2, 1, 1)", "transpose:k3,s2,p1,op2=1,c4"),
        ("ConvTranspose2d(8, 4, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), bias=False)", "transpose:k4,s2,p1,c4,nobias"),
        ("MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=True)", "pool:k3,s2,p1,ceil"),
        ("AvgPool2d(kernel_size=2, stride=2, padding=0)", "pool:k2"),
        ("MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))", "unpool:k2"),
        ("AdaptiveAvgPool2d(output_size=(1, 1)) AdaptiveMaxPool2d(7)", "globalpool adaptive:7"),
        ("Upsample(scale_factor=2.0, mode='nearest') Upsample(size=(8, 9), mode='bicubic')", "upsample:2 resize:8x9,bicubic"),
        ("Upsample(scale_factor=1.5, mode='bilinear')", "upsample:1.5,bilinear"),
        ("PixelShuffle(upscale_factor=2) PixelUnshuffle(downscale_factor=3)", "shuffle:2 unshuffle:3"),
        ("ZeroPad2d((1, 2, 3, 4)) ReflectionPad2d(3)", "pad:3x4x1x2 pad:3"),
        ("Flatten(start_dim=1, end_dim=-1) Linear(in_features=9, out_features=2, bias=False)", "flatten linear:2,nobias"),
        ("Unflatten(dim=1, unflattened_size=(8, 7, 7))", "unflatten:8x7x7"),
        ("ReLU(inplace=True), LeakyReLU(negative_slope=0.2), Dropout(p=0.5)", "relu leakyrelu dropout"),
        ("Sequential((0): Conv2d(3, 4, 3) (1): Sequential((0): ReLU()))", "conv:k3,c4 relu"),
        ("nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())", "conv:k3,c4 relu"),
        ("Sequential((0-2): 3 x Conv2d(4, 4, kernel_size=(3, 3)))", "conv:k3,c4 conv:k3,c4 conv:k3,c4"),
        ("conv:k3,p1 Conv2d(3, 4, 3) pool:k2", "conv:k3,p1 conv:k3,c4 pool:k2"),
        # Keras
        ("layers.Conv2D(32, (3, 3), strides=2, padding='same', activation='relu')", "conv:k3,s2,psame-upper,c32"),
        ("Conv2D(32, 3) MaxPooling2D() Flatten() Dense(10)", "conv:k3,c32 pool:k2 flatten linear:10"),
        ("Conv2DTranspose(8, 2, strides=3)", "transpose:k2,s3,op2=1,c8"),
        ("GlobalAveragePooling2D() Reshape((2, 3, 4))", "globalpool flatten unflatten:4x2x3"),
        ("ZeroPadding2D(((1, 2), (3, 4))) UpSampling2D((2, 1))", "pad:1x2x3x4 upsample:2x1"),
        # ONNX: pads are top, left, bottom, right; a pool's stride is 1
        ("Conv(kernel_shape=[3, 3], pads=[0, 1, 2, 3], group=3)", "conv:k3,p0x2x1x3,g3"),
        ("ConvTranspose(kernel_shape=[3, 3], strides=[2, 2], auto_pad='SAME_LOWER')", "transpose:k3,s2,psame-lower"),
        ("MaxPool(kernel_shape=[3, 3]) GlobalAveragePool() DepthToSpace(blocksize=2)", "pool:k3,s1 globalpool shuffle:2"),
    ],
)  # fmt: skip
def test_what_is_understood(text: str, chain: str) -> None:
    assert words(text) == chain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Conv3d(3, 8, 3)", ["layer 1", "no kind of layer"]),
        ("Conv2d(3)", ["Conv2d(3)", "kernel_size"]),
        ("Conv2d(3, 8, (3, 3, 3))", ["not a number or two"]),
        ("Conv2d(3, 8, 3", ["no closing parenthesis"]),
        ("Conv2d(3 8)", ["cannot be read as arguments"]),
        ("Conv2d(3, 8, 3) Flatten(start_dim=2)", ["layer 2", "keeps an axis"]),
        ("Linear(in_features=3)", ["out_features"]),
        ("Upsample(mode='trilinear', scale_factor=2)", ["trilinear"]),
        ("ConstantPad2d((-1, 0, 0, 0), 0)", ["padding '(-1, 0, 0, 0)'"]),
        ("ZeroPadding2D((1, 2, 3))", ["padding '(1, 2, 3)'"]),
        ("Linear(in_features=None, out_features=3)", ["in_features is missing"]),
        ("Upsample(scale_factor=1e400)", ["scale_factor is missing or no number"]),
        ("LSTM(10, 20)", ["'LSTM'", "no kind of layer"]),
        ("Conv2d(__import__('os').system('true'), 8, 3)", ["is no layer"]),
        ("Model((a): Conv2d(3, 8, 3) (b): SE((p): AdaptiveAvgPool2d(1)))", ["SE(…)", "AdaptiveAvgPool2d", "Sequential"]),
        ("ReLU() % Conv2d(3, 8, 3)", ["no kind of layer"]),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, said: list[str]) -> None:
    result = run("shape", "--hin", 32, "--layers", text)
    assert result.code == 2
    assert all(word in result.err for word in said), result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "size", "said"),
    [
        ("Conv2d(3, 8, 3) Conv2d(4, 8, 3)", 32, ["layer 2", "8 channels come in, and it takes 4"]),
        ("Conv2d(3, 8, 3) BatchNorm2d(4)", 32, ["layer 2", "it takes 4"]),
        ("MaxPool2d(2) Flatten() Linear(100, 5)", 28, ["in_features 100", "588 = 3×14×14", "use in_features 588"]),
        ("conv:k3,c8 linear:5", 28, ["8×26×26", "5408 features", "put flatten"]),
        ("flatten conv:k3", 8, ["192 features", "unflatten:CxHxW"]),
        ("shuffle:2", 8, ["3 channels", "not divisible by 4"]),
        ("unshuffle:3", 8, ["8×8", "not divisible by 3"]),
        ("ReflectionPad2d(8)", 8, ["padding 8", "use at most 7"]),
        ("LayerNorm((3, 9, 9))", 8, ["3×8×8", "takes 3×9×9", "an input of 9×9 fits"]),
        ("unflatten:4x2x2", 8, ["192", "16"]),
        ("save:a conv:k3,s2,p1 upsample:2 cat:a", 97, ["97×97 pixels, fewer than the 98×98", "an input of 98×98 fits"]),
        ("save:a pool:k2 upsample:2 cat:a", 97, ["97×97", "not the 96×96", "cat:a,crop"]),
    ],
)
def test_what_torch_refuses(text: str, size: int, said: list[str]) -> None:
    result = run("shape", "--hin", size, "--layers", text)
    assert result.code == 2
    assert all(word in result.err for word in said), result.err


def test_a_skip_is_cropped_when_told_to() -> None:
    assert done("shape", "--hin", 97, "--layers", "save:a pool:k2 upsample:2 cat:a,crop", "-q").text == "96\n"


def test_the_input_that_a_linear_layer_needs() -> None:
    """AlexNet's convolutions make 256·6·6 features of 227, not of 224."""
    text = "conv:k11,s4,c96 pool:k3,s2 conv:k5,p2,c256 pool:k3,s2 pool:k3,s2 Flatten() Linear(9216, 10)"
    assert "an input of 227×227 fits" in run("shape", "--hin", 224, "--layers", text).err
    assert done("shape", "--hin", 227, "--layers", text, "-q").text == "10\n"


def test_what_goes_into_linear_is_said() -> None:
    text = "conv:k5,c6 pool:k2 conv:k5,c16 pool:k2 flatten linear:120"
    assert "linear:120 (in_features 400)" in done("shape", "--hin", 32, "--layers", text).text
    assert done("shape", "--hin", 32, "--layers", text, "--json").json["layers"][-1]["in_features"] == 400
    assert done("shape", "--hin", 32, "--layers", text.removesuffix(" linear:120"), "-q").text == "400\n"


def test_models_that_are_not_sequential_are_read_in_their_order(tmp_path: Path) -> None:
    """With a remark; in front of the first Linear their features are flat."""
    model = nn.Module()
    model.conv, model.pool, model.fc = nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Linear(4 * 15 * 15, 7)
    (tmp_path / "model.txt").write_text(repr(model))
    result = done("shape", "--hin", 32, "--layers", "model.txt", "-q", cwd=tmp_path)
    assert result.text == "7\n"
    assert "layers are taken as printed, flatten before Linear" in result.err
    assert done("shape", "--hin", 32, "--layers", "-", "-q", input=repr(nn.Sequential(model.conv)).encode()).err == ""


def test_the_channels_of_the_input_are_those_of_the_first_layer() -> None:
    assert done("shape", "--hin", 9, "--layers", "Conv2d(5, 2, 3)", "--json").json["input"]["channels"] == 5
    assert "it takes 5" in run("shape", "--hin", 9, "--in-channels", 4, "--layers", "Conv2d(5, 2, 3)").err


def test_lazy_modules_take_what_comes() -> None:
    text = repr(nn.Sequential(nn.LazyConv2d(8, 3), nn.Flatten(), nn.LazyLinear(10)))
    assert done("shape", "--hin", 6, "--layers", text, "--json").json["layers"][-1]["in_features"] == 128


def test_depthwise_layers_have_a_group_for_each_channel() -> None:
    one, other = walk("conv:k3,c8 depthwise:k3,p1", 9), walk("conv:k3,c8 conv:k3,p1,g8", 9)
    assert [step[1:5] for step in one.steps] == [step[1:5] for step in other.steps]
    (layer,) = layers.parse("DepthwiseConv2D(3, depth_multiplier=2)")
    assert (layer.kind, layer.depthwise) == ("conv", 2)


@pytest.mark.parametrize(
    ("word", "parameters"), [("bn", 16), ("layernorm", 16), ("groupnorm", 16), ("prelu", 1), ("relu", 0)]
)
def test_parameters_of_what_keeps_the_size(word: str, parameters: int) -> None:
    theirs = {
        "bn": nn.BatchNorm2d(8), "layernorm": nn.LayerNorm(8), "groupnorm": nn.GroupNorm(2, 8), "prelu": nn.PReLU(),
        "relu": nn.ReLU(),
    }[word]  # fmt: skip
    assert sum(weights.numel() for weights in theirs.parameters()) == parameters
    assert walk(f"conv:k1,c8 {word}", 4).steps[-1].parameters == parameters


@pytest.mark.parametrize(("text", "size"), [("o=256", 256), ("o=255", 255), ("o=270", 270)])
def test_onnx_chooses_pads_for_an_output_shape(text: str, size: int) -> None:
    assert walk(f"transpose:k16,s15,{text}", 17).steps[0].size.height == size
    assert walk("ConvTranspose(kernel_shape=[3, 3], strides=[2, 2], output_shape=[6, 6])", 3).steps[0].size == (6, 6)


def test_a_print_is_bounded() -> None:
    with pytest.raises(GeometryError, match="more than 10000 layers"):
        layers.parse("Sequential((0-99999): 99999 x ReLU())")
    with pytest.raises(GeometryError, match="more than 100 containers"):
        layers.parse("Sequential((0): " * 5000 + "ReLU()" + ")" * 5000)


def test_documents_take_onnxs_and_kerass_names() -> None:
    tables = [
        {"op_type": "Conv", "kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"type": "MaxPooling2D", "pool_size": 2}, {"type": "relu"},
    ]  # fmt: skip
    assert [layer.text for layer in layers.from_document(tables).layers] == ["conv:k3,s2,p1", "pool:k2", "relu:"]


def test_torchs_own_defaults_are_printed() -> None:
    """A print has no name for what is at its default, which is the same here."""
    for module in (
        nn.Conv2d(3, 6, 3),
        nn.ConvTranspose2d(3, 6, 3),
        nn.MaxPool2d(3),
        nn.AvgPool2d(3),
        nn.Upsample(scale_factor=3),
    ):
        with torch.no_grad():
            want = tuple(module(torch.zeros(1, 3, 12, 12)).shape[2:])
        assert walk(repr(module), 12).steps[0].size == want
    assert layers.parse("relu")[0] == Layer("relu", "keep")
