#!/usr/bin/env python3
"""Makes tests/golden/pruning: what pruning methods do to a small matrix, by their papers, in numpy
and FP64, sharing no code with src/.

magnitude     |w|, compared within the matrix
wanda         |w_ij| sqrt(mean x_j^2), compared within a row (Sun et al., 2024, arXiv 2306.11695)
sparsegpt     w^2 / U_jj^2 in blocks of inputs, compared within the block of all rows; the weights
              still to come make up for the error (Frantar and Alistarh, 2023, arXiv 2301.00774);
              also with codes of 4 bits a row chosen in the same sweep
owl           ratios of layers by their shares of outliers (Yin et al., 2024, arXiv 2310.05175)

    python tools/goldens/make_pruning.py          (numpy)
"""
import json
import pathlib

import numpy as np

SEED = 3
ROWS, INPUTS, TOKENS, BLOCK = 24, 64, 300, 32
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "pruning"


def make_inputs(rng):
    shared = rng.standard_normal((TOKENS, 1))
    energy = np.where(np.arange(INPUTS) % 7 == 3, 6.0, 0.5 + 0.02 * np.arange(INPUTS))
    return ((rng.standard_normal((TOKENS, INPUTS)) + shared) * energy).astype(np.float32)


def lowest(scores, count):
    """True for the `count` lowest of a vector; of equal ones the first."""
    gone = np.zeros(scores.size, bool)
    gone[np.argsort(scores, kind="stable")[:count]] = True
    return gone


def by_rows(scores, ratio):
    return np.stack([lowest(row, int(row.size * ratio)) for row in scores])


def by_pattern(scores, kept, of):
    gone = np.zeros(scores.shape, bool)
    for r, row in enumerate(scores):
        for j in range(0, row.size, of):
            gone[r, j:j + of] = lowest(row[j:j + of], of - kept)
    return gone


def sparsegpt(w, hessian, ratio=None, pattern=None, scales=None, by_row=False):
    """scales (rows): codes -8 .. 7 of each row; None: the weights that are left stay floats."""
    w = w.astype(np.float64).copy()
    h = hessian + 0.01 * np.mean(np.diag(hessian)) * np.eye(INPUTS)
    u = np.linalg.cholesky(np.linalg.inv(h)).T  # H^-1 = U^T U
    gone = np.zeros(w.shape, bool)
    out = np.zeros(w.shape)
    for j in range(INPUTS):
        if pattern is None and j % BLOCK == 0:
            block = slice(j, j + BLOCK)
            scores = (w[:, block] / np.diag(u)[block]) ** 2
            if by_row:
                gone[:, block] = by_rows(scores, ratio)
            else:
                gone[:, block] = lowest(scores.ravel(), int(scores.size * ratio)).reshape(scores.shape)
        if pattern is not None and j % pattern[1] == 0:
            block = slice(j, j + pattern[1])
            gone[:, block] = by_pattern((w[:, block] / np.diag(u)[block]) ** 2, *pattern)
        q = w[:, j]
        if scales is not None:
            q = scales * np.clip(np.rint(q / scales), -8, 7)
        out[:, j] = np.where(gone[:, j], 0, q)
        error = (w[:, j] - out[:, j]) / u[j, j]
        w[:, j + 1:] -= np.outer(error, u[j, j + 1:])
    return out


def owl(shares, ratio, spread):
    x = (shares - shares.min()) / (shares.max() - shares.min()) * 2 * spread
    return ratio - (x - x.mean())


def main():
    rng = np.random.default_rng(SEED)
    x = make_inputs(rng)
    w = rng.standard_t(4, (ROWS, INPUTS)).astype(np.float32)
    hessian = x.astype(np.float64).T @ x.astype(np.float64) / TOKENS
    scores = np.abs(w.astype(np.float64)) * np.sqrt(np.diag(hessian))
    # The largest weight of a row sits on code -8; scales are FP16.
    largest = w[np.arange(ROWS), np.argmax(np.abs(w), axis=1)]
    scales = (largest / -8).astype(np.float16).astype(np.float64)
    results = {
        "x": x, "w": w,
        "magnitude_0.5": np.where(lowest(np.abs(w).ravel(), w.size // 2).reshape(w.shape), 0, w),
        "magnitude_2to4": np.where(by_pattern(np.abs(w), 2, 4), 0, w),
        "wanda_0.5": np.where(by_rows(scores, 0.5), 0, w),
        "wanda_0.7": np.where(by_rows(scores, 0.7), 0, w),
        "wanda_2to4": np.where(by_pattern(scores, 2, 4), 0, w),
        "wanda_4to8": np.where(by_pattern(scores, 4, 8), 0, w),
        "sparsegpt_0.5": sparsegpt(w, hessian, ratio=0.5),
        "sparsegpt_0.7": sparsegpt(w, hessian, ratio=0.7),
        "sparsegpt_rows_0.5": sparsegpt(w, hessian, ratio=0.5, by_row=True),
        "sparsegpt_2to4": sparsegpt(w, hessian, pattern=(2, 4)),
        "sparsegpt_4to8": sparsegpt(w, hessian, pattern=(4, 8)),
        "sparsegpt_0.5_w4c": sparsegpt(w, hessian, ratio=0.5, scales=scales),
        "sparsegpt_2to4_w4c": sparsegpt(w, hessian, pattern=(2, 4), scales=scales),
        "owl_shares": np.array([0.5, 2.5, 1.0, 0.25, 0.75]),
        "owl_0.6": owl(np.array([0.5, 2.5, 1.0, 0.25, 0.75]), 0.6, 0.08),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    for name, array in results.items():
        np.save(OUT / f"{name}.npy", array.astype("<f4"))
    manifest = {"made_by": "tools/goldens/make_pruning.py", "numpy": np.__version__, "seed": SEED,
                "block": BLOCK}
    (OUT / "MANIFEST.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
