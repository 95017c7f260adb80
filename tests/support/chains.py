"""Chains of layers drawn at random."""

from hypothesis import strategies as st

from convcli.arithmetic import chain, layers
from convcli.arithmetic.chain import Chain
from convcli.geometry import Size


def walk(text: str, height: int, width: int | None = None, channels: int = 3) -> Chain:
    return chain.walk(layers.parse(text), Size(height, width or height), channels)


@st.composite
def words(draw: st.DrawFn, kinds: tuple[str, ...] = ("conv", "transpose", "pool", "upsample")) -> str:
    """One layer, rows and columns apart."""
    kind = draw(st.sampled_from(kinds))
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))
    if kind == "upsample":
        return "upsample:{}x{}".format(*pair(1, 3))
    k, s, d = pair(1, 4), pair(1, 3), pair(1, 3)
    p = [min(pads, size // 2) for pads, size in zip(pair(0, 2), k, strict=True)]
    if kind == "pool":
        return f"pool:k{k[0]}x{k[1]},s{s[0]}x{s[1]},p{p[0]}x{p[1]},d{d[0]}x{d[1]}" + draw(
            st.sampled_from((",ceil", ""))
        )
    more = f",c{6 * draw(st.integers(1, 2))},g{draw(st.sampled_from((1, 2, 3)))}" + draw(
        st.sampled_from((",nobias", ""))
    )
    if kind == "transpose":
        more += ",op2={}x{}".format(*(draw(st.integers(0, max(a, b) - 1)) for a, b in zip(s, d, strict=True)))
    return f"{kind}:k{k[0]}x{k[1]},s{s[0]}x{s[1]},p{p[0]}x{p[1]},d{d[0]}x{d[1]}{more}"
