"""Metrics and losses of one image written out in NumPy and SciPy, or by scikit-image: nothing is shared with ours.

All take images (3, H, W) in [-1, 1] and compute in float64.
"""

import numpy as np
from scipy.ndimage import correlate1d
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from references.networks import Array, lpips_network, mobilefacenet_layers


def mse(image: Array, target: Array) -> float:
    return float(mean_squared_error(image, target))


def psnr(image: Array, target: Array) -> float:
    return float(peak_signal_noise_ratio(target, image, data_range=2))  # type: ignore[no-untyped-call]


def ssim(image: Array, target: Array) -> float:
    paper = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(image, target, data_range=2, channel_axis=0, **paper))  # type: ignore[no-untyped-call]


def ms_ssim(image: Array, target: Array) -> float:
    return float(np.mean([_ms_ssim_of_a_colour(x, y) for x, y in zip(image, target, strict=True)]))


def _ms_ssim_of_a_colour(x: Array, y: Array) -> float:
    found, c1, c2 = 1.0, (0.01 * 2) ** 2, (0.03 * 2) ** 2
    for scale, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            height, width = (n // 2 for n in x.shape)
            x, y = (z[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3)) for z in (x, y))
        mean_x, mean_y = _window_mean(x), _window_mean(y)
        var_x, var_y = _window_mean(x * x) - mean_x**2, _window_mean(y * y) - mean_y**2
        contrast = (2 * (_window_mean(x * y) - mean_x * mean_y) + c2) / (var_x + var_y + c2)
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        found *= float((contrast * (luminance if scale == 4 else 1)).mean().clip(1e-8)) ** exponent
    return found


def _window_mean(x: Array) -> Array:
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()
    found: Array = correlate1d(correlate1d(x, taps, axis=0), taps, axis=1)[5:-5, 5:-5]
    return found


def pattern(image: Array) -> float:
    """Bin by bin."""
    grey = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    height, width = grey.shape
    window = np.outer(*(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n) for n in (height, width)))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    logs = []
    for vertical, horizontal in [(0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]:
        peak, ring = [], []
        for dy in range(-16, 17):
            for dx in range(-16, 17):
                value = power[(vertical * height // 4 + dy) % height, (horizontal * width // 4 + dx) % width]
                away = max(abs(dy), abs(dx))
                peak += [value] if away <= 3 else []
                ring += [value] if away >= 6 else []
        logs.append(np.log10(np.mean(peak) / (sorted(ring)[(len(ring) - 1) // 2] / np.log(2))))
    return float(np.mean(logs))


def lpips(net: str, image: Array, target: Array) -> float:
    """The sum over layers of the mean over pixels of the weighted squares of unit vectors' differences."""
    features, weights = lpips_network(net)
    total = 0.0
    for a, b, weight in zip(features(image), features(target), weights, strict=True):
        a, b = (x / (np.sqrt((x**2).sum(axis=0)) + 1e-10) for x in (a, b))
        total += float((weight[:, None, None] * (a - b) ** 2).sum(axis=0).mean())
    return total


def averages(image: Array, size: int) -> Array:
    """Averages (C, size, size): output i is the mean of inputs floor(i n / size) to ceil((i + 1) n / size)."""
    n = image.shape[-1]
    spans = [slice(i * n // size, -((i + 1) * -n // size)) for i in range(size)]
    rows = np.stack([image[:, span].mean(axis=1) for span in spans], axis=1)
    return np.stack([rows[:, :, span].mean(axis=2) for span in spans], axis=2)


def face_crop(image: Array) -> Array:
    """pSp's crop of an FFHQ-aligned image of 256 pixels, as face recognition takes it."""
    return averages(image[:, 35:223, 32:220], 112)


def similarity(image: Array, target: Array) -> float:
    """The cosine of MobileFaceNet's embeddings of images of 256 pixels."""
    a, b = (mobilefacenet_layers(face_crop(x))[-1].ravel() for x in (image, target))
    return float(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b))


def identity_distance(image: Array, target: Array, first: int, end: int) -> float:
    """The mean over layers of the mean over positions of 1 - cosine, in layers of MobileFaceNet."""
    layers = zip(*(mobilefacenet_layers(face_crop(x))[first:end] for x in (image, target)), strict=True)
    return float(np.mean([_one_minus_cosine(a, b) for a, b in layers]))


def _one_minus_cosine(a: Array, b: Array) -> float:
    x, y = (m.reshape(len(m), -1).T for m in (a, b))
    cosines = [p @ q / np.sqrt(p @ p) / np.sqrt(q @ q) for p, q in zip(x, y, strict=True)]
    return float(np.mean(1 - np.array(cosines)))


def full_size(image: Array, target: Array, weight: float) -> float:
    """Squares of area averages of 64 pixels, and of crops of 256 around eyes, mouth and hair, of 512 pixels."""
    whole = np.mean((averages(image, 64) - averages(target, 64)) ** 2)
    corners = [(118, 61), (118, 195), (246, 128), (0, 61)]  # rounded, and within the image
    parts = [(image[:, y : y + 256, x : x + 256], target[:, y : y + 256, x : x + 256]) for y, x in corners]
    return float(whole + weight * np.mean([np.mean((a - b) ** 2) for a, b in parts]))
