"""What the help of ``convcli kernel`` and the manual say of all named kernels: their arguments, names and signs."""

from __future__ import annotations

from convcli.commands.help import Section

ARGUMENTS = Section(
    "Arguments",
    "Arguments follow the name, in their order or by name: gaussian:2,9, gaussian:sigma=2,size=9.",
    (
        ("size, width, height, length", "Sides, in pixels."),
        ("radius, inner, outer", "Distances from the centre, in pixels."),
        ("sigma, sigma1, sigma2, sigma_x, sigma_y", "Standard deviations, in pixels."),
        ("dy, dx", "Pixels to move down and to the right; up and to the left below 0."),
        ("angle", "In degrees, counter-clockwise: 0 to the right, 90 up."),
        ("theta", "Direction of the wave, in degrees: 0 to the right, 90 down."),
        ("phase", "In degrees: 0 is a cosine."),
        ("frequency", "In cycles per pixel, 0.5 at most."),
        ("bandwidth", "In octaves."),
        ("direction", "From -1 to 1: which end of the line weighs more; 0: both weigh the same."),
        ("amount", "Strength, a factor: 0 changes nothing."),
        ("min_ampl", "Smallest value that is kept, as a share of the peak."),
        ("factor", "How many times larger: use it as --stride of transpose."),
        ("lobes", "Lobes of the sinc to each side."),
        ("a", "Slope of the cubic at distance 1: -0.75 or -0.5."),
        ("neighbours", "4 or 8."),
        ("scheme", "From -1 to 3: see gradient."),
        ("type", "ImageMagick's number: see laplacian-type."),
        ("seed", "Any whole number from 0."),
    ),
)

NAMES = Section(
    "Names and signs",
    "A kernel such as sobel or kirsch stands for several members whose results are joined. Each member is a kernel too, with the "
    "same arguments: sobel-x, sobel-y:5, kirsch-ne.\n\n"
    "x grows to the right, y downwards, and the kernel is not flipped (--op corr): sobel-x is positive where brightness grows to "
    "the right, sobel-y where it grows downwards, and a Laplacian has a negative centre. --op conv flips the kernel, and with it "
    "the sign of a derivative.\n\n"
    "A library's kernel with other values than ours has a name of its own: pillow-sharpen, log-unit, motion-nearest.",
)
