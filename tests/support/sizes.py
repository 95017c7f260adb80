"""Output sizes by counting."""


def direct(h: int, k: int, s: int = 1, p: int = 0, d: int = 1) -> int:
    """Output size by counting the places where the kernel fits."""
    padded = h + 2 * p
    return sum(1 for start in range(0, padded, s) if start + d * (k - 1) < padded)


def transposed(h: int, k: int, s: int = 1, p: int = 0, d: int = 1, p2: int = 0) -> int:
    """Output size by looking where the last tap of the last pixel lands."""
    last = max(y * s + i * d for y in range(h) for i in range(k))
    return last + 1 - 2 * p + p2
