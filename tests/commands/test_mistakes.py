"""Two hundred mistakes as they are typed, and what the one line on stderr has to say about each."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import numpy as np
import pytest

from convcli.cli import COMMANDS, main
from convcli.commands.synonyms import OPTIONS, option_for
from support.cli import run
from support.pictures import write

MISTAKES = """
    conv2d img.png -k sobel                           | 'conv2d' is not a command & convcli apply IMAGE -k SPEC
    conv img.png -k sobel                             | convcli apply IMAGE -k SPEC
    convolve img.png -k sobel                         | convcli apply IMAGE -k SPEC
    Filter img.png -k sobel                           | convcli apply IMAGE -k SPEC
    filter2D img.png                                  | convcli apply IMAGE -k SPEC
    blur img.png                                      | convcli apply IMAGE -k gaussian:2
    sharpen img.png                                   | convcli apply IMAGE -k sharpen
    edges img.png                                     | convcli apply IMAGE -k sobel
    gaussian:3 img.png                                | convcli apply IMAGE -k gaussian:3
    resize img.png                                    | -p same-upper --padding-mode replicate
    upsample img.png                                  | convcli transpose IMAGE -k bicubic:2
    downsample img.png                                | convcli apply IMAGE -k box:2 -s 2
    deconv img.png -k box                             | convcli transpose IMAGE -k SPEC
    conv_transpose2d img.png -k box                   | convcli transpose IMAGE -k SPEC
    help                                              | use 'convcli -h'
    help apply                                        | use 'convcli apply -h'
    man shape                                         | use 'convcli shape -h'
    version                                           | use 'convcli --version'
    kernels                                           | use 'convcli kernel'
    list                                              | use 'convcli kernel'
    size --hin 3 --k 3                                | convcli shape --hin
    gif --hin 5 --k 3                                 | convcli animate --hin
    benchmark img.png                                 | convcli compare IMAGE
    info                                              | use 'convcli doctor'
    aply img.png -k sobel                             | did you mean apply?
    Apply img.png -k sobel                            | did you mean apply?
    nonsense                                          | is not a command & use apply, transpose
    img.png                                           | use 'convcli apply img.png -k SPEC'
    img.png -k sobel -o x.png                         | use 'convcli apply img.png -k sobel -o x.png'
    sub -k sobel                                      | use 'convcli apply sub -k sobel'
    missing.jpg                                       | use 'convcli apply missing.jpg -k SPEC'
    -k sobel img.png                                  | No such option '-k' & name a command first
    apply img.png                                     | no kernel is given & -k sobel
    apply -k sobel                                    | no image is given & name images
    apply img.png sobel                               | input 'sobel' is not a file, but a kernel & use -k sobel
    apply img.png gaussian:2                          | use -k gaussian:2
    apply img.png '0,1,0;1,-4,1;0,1,0'                | use -k '0,1,0;1,-4,1;0,1,0'
    apply img.png -k edge                             | kernel 'edge' has another name here & use sobel or laplacian
    apply img.png -k mean                             | use box
    apply img.png -k average                          | use box
    apply img.png -k gaussian_blur                    | use gaussian
    apply img.png -k unsharp_mask                     | use unsharp
    apply img.png -k motion-blur:5                    | use motion
    apply img.png -k find_edges                       | did you mean find-edges?
    apply img.png -k sobl                             | did you mean sobel
    apply img.png -k canny                            | is not a convolution & use gaussian-gradient or sobel
    apply img.png -k median:3                         | is not a convolution & use box or gaussian
    apply img.png -k bilateral                        | is not a convolution & use gaussian
    apply img.png -k dilate                           | is not a convolution & by its rank
    apply img.png -k grayscale                        | is not a convolution & --channels gray
    apply img.png -k invert                           | is not a convolution & kernel -1 & --bias 100%
    apply img.png -k threshold                        | is not a convolution & --bias
    apply img.png -k resize                           | is not a convolution & --stride
    apply img.png -k 5x5                              | is a size & box:5
    apply img.png -k 'gaussian(2)'                    | write 'gaussian:2'
    apply img.png -k gaussian=2                       | write 'gaussian:2'
    apply img.png -k 'gaussian 2'                     | write 'gaussian:2'
    apply img.png -k gaussian 2                       | input '2' is not a file & use -k gaussian:2
    apply img.png -k box 5 -o out.png                 | input '5' is not a file & use -k box:5
    apply img.png -k '1 0;0 1'                        | separate them by commas
    apply img.png -k '1,2;3'                          | ragged
    apply img.png -k img.png                          | has 3 channels & save it in gray
    kernel -1,0,1                                     | written --kernel='-1,0,1'
    kernel '-1,0,1;-2,0,2;-1,0,1'                     | written --kernel='-1,0,1;-2,0,2;-1,0,1'
    kernel -.5,1                                      | written --kernel='-.5,1'
    apply img.png -1,0,1                              | written --kernel='-1,0,1'
    apply '*.png' -k sobel                            | is a pattern that the shell did not replace & without quotes
    apply 'no*.tif' -k sobel                          | is a pattern that matches no file & use the names of images
    explain 'im?.png' -k sobel --at 1,1               | is a pattern that the shell did not replace
    apply img.png -k sobel --border reflect           | No such option '--border' & --padding-mode
    apply img.png -k sobel --mode wrap                | did you mean --padding-mode?
    apply img.png -k sobel --boundary symm            | did you mean --padding-mode?
    apply img.png -k sobel --padding_mode wrap        | did you mean --padding-mode?
    apply img.png -k sobel --pad 1                    | did you mean --padding
    apply img.png -k sobel --offset 128               | did you mean --bias?
    apply img.png -k sobel --delta 128                | did you mean --bias?
    apply img.png -k sobel --gray                     | did you mean --channels gray?
    apply img.png -k sobel --grayscale                | did you mean --channels gray?
    apply img.png -k sobel --force                    | did you mean --overwrite & it replaces a file
    apply img.png -k sobel -y                         | --overwrite
    apply img.png -k sobel --scale 2                  | write the factor into the kernel & convcli transpose
    apply img.png -k sobel --transpose                | use 'convcli transpose'
    transpose img.png -k sobel --transpose            | leave it out
    transpose img.png -k bicubic:2 --scale 2          | -s N enlarges
    apply img.png -k sobel --k 3                      | follows its name & -k box:3
    apply img.png --kernel-size 3                     | follows its name & -k box:3
    apply img.png -k gaussian --sigma 2               | -k gaussian:2
    apply img.png -k box --out x.png                  | did you mean --output?
    apply img.png -k box --output-format png          | did you mean --format?
    apply img.png -k box --outdir out                 | -o DIR/
    apply img.png -k box --gpu                        | did you mean --device cuda?
    apply img.png -k box -j 4                         | did you mean --threads?
    apply sub -k box -r                               | did you mean --recursive?
    apply img.png -k box --debug                      | did you mean --verbose?
    apply img.png -k box --flip                       | --op conv
    apply img.png -k box --strides 2                  | did you mean --stride?
    apply img.png -k box --dilate 2                   | did you mean --dilation?
    apply img.png -k box --input img.png              | without an option
    apply img.png -k box --abs                        | did you mean --range?
    apply img.png -k box --model x.pt                 | did you mean --weights?
    apply img.png -k box --op2 1                      | convcli transpose
    apply img.png -k box -p reflect                   | use --padding-mode reflect
    apply img.png -k box --padding-mode same          | use --padding same
    apply img.png -k box -s 2x1                       | the order here is H,W & write 2,1
    apply img.png -k box -s 0                         | '0' & from 1
    apply img.png -k box -s 2 -p same                 | same-upper
    apply img.png -k box -o out.mp4                   | cannot be written & use png
    apply img.png -k box -o out.png --format png      | --format png is for -o -, a folder or a template
    apply img.png sub/img.png -k box -o one.png       | would both be written
    apply img.png -k box -o img.png                   | is the input
    apply img.png img.jpg -k box -o out/ --format jpg | would both be written & {name}.jpg
    shape --hin 32                                    | --kernel-size
    shape --size 32 --k 3                             | did you mean --hin
    shape --hin 64x32 --k 3                           | for 64 rows and 32 columns & --hin 64 --win 32
    shape --hin 32 --k 3 --padding-mode reflect       | changes no size
    shape --hin 32 --k 40                             | is larger than the padded image
    explain img.png -k sobel                          | no pixel is given & --at
    explain img.png -k sobel --pixel 1,1              | did you mean --at?
    explain img.png -k sobel --export torch           | did you mean --as?
    compare img.png -k sobel --rtol 1e-3              | did you mean --tolerance?
    animate --hin 5 --k 3                             | there is no output
    animate --hin 5 --k 3 --gif                       | -o FILE.gif
    animate --hin 5 --k 3 --duration 3                | did you mean --fps?
    kernel --list                                     | 'convcli kernel' alone
    kernel sobel --preview img.png                    | did you mean --on?
    kernel sobel --on img.png                         | add -o FILE.png
    kernel gausian                                    | did you mean gaussian
    completion powershell                             | bash
    apply img.png -kernel sobel                       | begin with two: use --kernel
    apply img.png -k sobel -quality 80                | use --quality
    apply img.png -k sobel -format jpg                | use --format
    apply img.png -k sobel -json                      | use --json
    apply img.png -k sobel -linear                    | use --linear
    apply img.png -k sobel -stride 2                  | use --stride
    apply img.png -k sobel -padding same              | use --padding
    apply img.png -k sobel -pad 1                     | use --padding or --padding-mode
    apply img.png -k sobel -output sub/q.png          | use --output
    apply img.png -k sobel -out.png                   | use --output or -o ut.png, with a space
    apply img.png -k sobel -over.png                  | use -o ver.png, with a space
    apply img.png -kernel.csv                         | use --kernel or -k ernel.csv
    apply img.png -k sobel -o=sub/q.png               | '-o=sub/q.png' has = & write -o sub/q.png, with a space
    apply img.png -k=sobel                            | write -k sobel, with a space
    apply img.png -k sobel -resize 50%                | there is no --resize & convcli transpose
    apply img.png -k sobel -outdir out                | -o DIR/
    apply img.png -k sobel -offset 128                | did you mean --bias?
    apply img.png -k sobel -convolve                  | --op conv
    apply img.png -sobel                              | use -k sobel
    apply img.png -blur 0x2                           | use -k blur
    apply img.png -k sobel -wavelet                   | No such option '-wavelet' & longer ones with two
    apply -help                                       | use --help
    shape -hin 32 -k 3                                | use --hin
    explain img.png -k sobel -at 1,2                  | use --at
    kernel -list                                      | 'convcli kernel' alone
    -help                                             | use --help
    -version                                          | use --version
    -V                                                | use 'convcli --version'
    apply --from-file -k box:3                        | '--from-file' took '-k' as its value
    apply img.png -k box -o -q                        | '-o' took '-q' as its value
    apply img.png -- -k box:3                         | input '-k' is after -- & write options before the --
    apply img.png -k sobel -p 1 1                     | write -p 1,1
    apply img.png -k sobel -s 2 2                     | write -s 2,2
    shape --hin 9 --k 3 5                             | write --k 3,5
    apply img.png out.jpg -k sobel                    | use -o out.jpg if it is the output
    apply img.png img.jpg out.jpg -k sobel            | use -o FOLDER/ if it is the output
    apply img.png edges/ -k sobel                     | use -o edges/
    apply img.png img.jpg -k sobel -o edges2          | would both be written & -o edges2/
    apply sub img.png -k sobel -o edges2 --format jpg | --format jpg is for -o - & write -o edges2/
    apply img.png -k 3                                | may be a size or a factor & box:3 & 3.0
    transpose img.png -k 2 -s 2                       | may be a size or a factor & box:2
    apply img.png -k gaussian:0x2                     | the number after the x is sigma, write gaussian:2
    apply img.png -k LoG:0x2                          | write log:2
    apply img.png -k sharpen:0x1                      | write unsharp:1
    apply img.png -k Sobel:90                         | use sobel-y, without the angle
    apply img.png -k Sobel:0                          | use sobel-x
    apply img.png -k Kirsch:45                        | kirsch-ne
    apply img.png -k Laplacian:0                      | write laplacian-type:0
    apply img.png -k 'sobel-x;sobel-y'                | write -k sobel-x -k sobel-y
    apply img.png -k sobel,prewitt                    | write -k sobel -k prewitt
    apply img.png -k gaussian-2                       | write 'gaussian:2'
    kernel list                                       | 'convcli kernel' alone lists them
    apply img.png -k header.csv                       | contains 'a' in line 1 & leave out the header
    apply img.png -k ragged.csv                       | row 2 has 2 values, row 1 has 3
    apply img.png -k ragged.json                      | row 2 has 1 value, row 1 has 2
    apply img.png -k words.csv                        | contains 'x' in line 2
    apply img.png -k box -p saem                      | did you mean same?
    apply img.png -k box -p SAEM                      | did you mean same?
    apply img.png -k box --range minmx                | did you mean minmax?
    apply img.png -k box --range 3,1                  | use 1,3
    apply img.png -k box --vmax 9                     | use --range LO,HI
    apply img.png -k box --range normalize            | did you mean minmax?
    apply img.png -k box --channels grey              | did you mean gray?
    apply img.png -k box --op convolve                | did you mean conv?
    apply img.png -k box --padding-mode mirrored      | did you mean reflect or symmetric?
    apply img.png -k box --padding-mode reflct        | did you mean reflect?
    apply img.png -k box --backend gpu                | use --backend torch --device cuda
    apply img.png -k box --backend pytorch            | did you mean torch?
    apply img.png -k box --device gpu                 | did you mean cuda?
    apply img.png -k box --dtype fp32                 | did you mean float32?
    apply img.png -k box --combine mag                | did you mean magnitude?
    apply img.png -k box --alpha premul               | did you mean premultiply?
    apply img.png -k box --color yes                  | did you mean always?
    explain img.png -k box --at 1,1 --as magick       | did you mean imagemagick?
    completion bsh                                    | Invalid value for 'shell' & did you mean bash?
    apply img.png -k box --quality 80%                | not a whole number from 1 to 100: write 80
    apply img.png -k box --quality 800                | not a whole number from 1 to 100
    apply img.png -k box --compression ten            | not a whole number from 0 to 9
    shape --hin 600x400 --k 3                         | --hin 600 --win 400, else --hin 400 --win 600
    shape --hin 9 --k gaussian:2                      | Invalid value for '--k' & is a size: write 13
    shape --hin 9 --k sobel                           | is a size: write 3
    shape --hin 5002 --win 300 --k 3 --hout 5000      | use --wout 298
    info img.png                                      | convcli explain img.png -k identity --at 0,0
    transpose img.png -k bilinear:2 -s 2 --output-size 18 | for 18 use --padding 1
    apply img.png -k box -k sobel-x --bias 1,2 --combine none | 6 output channels (3 channels × 2 kernels)
    apply ftp://x.org/a.png -k box                    | has the scheme 'ftp' & use a path
    apply '~/a.png' -k box                            | the shell did not replace the ~ & without quotes
    apply --from-file names.txt -0 -k box             | has lines, but no NUL: leave -0 out
    apply names.txt -k box -o o.png                   | looks like a list of paths & --from-file names.txt
    apply --from-file - -0                            | no kernel is given
    apply - -k box                                    | nothing came through standard input
    apply clear.png -k box -o clear.jpg               | has alpha, and JPEG cannot hold it & --alpha drop
"""
FILES = {
    "header.csv": "a,b,c\n0,1,0\n",
    "ragged.csv": "0,1,0\n1,2\n",
    "ragged.json": "[[1, 2], [3]]",
    "words.csv": "0,1,0\n0,x,0\n",
    "names.txt": "img.png\nsub/img.png\n",
}
LINES = [tuple(part.strip() for part in line.split("|")) for line in MISTAKES.strip().splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mistakes")
    (path / "sub").mkdir()
    for name in ("img.png", "img.jpg", "sub/img.png"):
        write(path / name, np.random.default_rng(0).integers(0, 256, (3, 9, 9), np.uint8))
    write(path / "clear.png", np.random.default_rng(0).integers(0, 255, (4, 9, 9), np.uint8))
    for name, text in FILES.items():
        (path / name).write_text(text)
    return path


def test_there_are_two_hundred() -> None:
    assert len({line for line, _ in LINES}) == len(LINES) >= 200


@pytest.mark.parametrize(("line", "words"), LINES, ids=[line for line, _ in LINES])
def test_a_mistake(line: str, words: str, folder: Path) -> None:
    """One line, exit code 2, nothing on stdout, nothing written, and no remedy that would replace what it should not."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = run(*shlex.split(line), cwd=folder, input=b"")
    assert result.code == 2
    assert result.out == b""
    assert result.err.startswith("convcli: error: ")
    assert result.err.count("\n") == 1
    for part in words.split("&"):
        assert part.strip() in result.err
    if "would both be" in words:
        assert "--in-place" not in result.err
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_option_begun_is_completed_before_a_synonym_is_looked_for() -> None:
    """Where the start of an option of ours is a word of another tool's, ours is meant; --in-place alone has to be typed out."""
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        known = [option for parameter in command.params for option in parameter.opts]
        for word in {word for row in OPTIONS for word in row.names.split()} - {*known}:
            begun = [option for option in known if len(word) > 3 and option.startswith(word)]
            found = option_for(word, name, known)
            assert not begun or not found or found == f"did you mean {begun[0]}?" or begun == ["--in-place"], (
                name,
                word,
            )


@pytest.mark.parametrize(
    "line",
    [
        "apply img.png -k gaussian:2 -p same",
        "apply img.png -k box:2 -s 2",
        "transpose img.png -k bicubic:2 -s 2 -p same-upper --padding-mode replicate",
        "kernel --kernel=-1,0,1",
        "apply img.png -k gaussian:2 -p same --channels gray",
        "apply img.png --kernel=-1 --bias 100%",
        "shape --hin 64 --win 32 --k 3",
        "compare img.png -k box --repeats 1",
        "explain img.png -k sobel --as torch",
        "animate --hin 5 --k 3 -o conv.gif",
        "apply img.png -k box:3 -p 1,1",
        "apply img.png --kernel=3.0",
        "apply img.png -k log:2 -p same",
        "apply img.png -k sobel-y",
        "apply img.png -k laplacian-type:0",
        "apply img.png -k kirsch-ne",
        "shape --hin 9 --k 13 -p 6",
        "shape --hin 5002 --win 300 --k 3 --hout 5000 --wout 298",
        "explain img.png -k identity --at 0,0",
        "transpose img.png -k bilinear:2 -s 2 --output-size 18 --padding 1",
        "apply img.png -ksobel -p1 -s2 -oshort.png -q",
    ],
)
def test_what_the_remedies_say_works(line: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "img.png").write_bytes((folder / "img.png").read_bytes())
    assert run(*line.split(), cwd=tmp_path).code == 0
