"""All measurements of the speed page and of the table of methods."""

from measuring.measurement import JSON, Measurement
from measuring.readers import from_json, generator_table, studio_json

GENERATORS = ("mobile-ffhq-256.safetensors", "mobile-ffhq-1024.safetensors")
NETWORK = "base-ffhq.safetensors"
DRAWING = ("generators", "benchmark/speed", "benchmark/generator_speed")
ONE_PASS = ("encoders", "faces", "generators", "images")
SEARCH = ("inversion", "losses", "features", "optim", "generators")

MEASUREMENTS = (
    Measurement(
        "generator",
        "the generators beside the machine's convolution, one image",
        ("-m", "latentloop", "bench", "generator", "--batches", "1"),
        generator_table,
        (*DRAWING, "inversion", "losses"),
        GENERATORS,
        minutes=0.7,
    ),
    Measurement(
        "generator-engines",
        "the generators beside ONNX Runtime and OpenVINO, float32",
        (
            "-m",
            "latentloop",
            "bench",
            "generator",
            "--batches",
            "1",
            "--precision",
            "float32",
            "--engines",
            "onnx",
            "openvino",
        ),
        generator_table,
        (*DRAWING, "benchmark/engines", "export"),
        GENERATORS,
        minutes=1.5,
    ),
    Measurement(
        "iterator-step",
        "a step of the iterator",
        ("scripts/time_step.py", "--json", JSON),
        from_json,
        (*SEARCH, "benchmark/generator_speed"),
        ("mobile-ffhq-1024.safetensors",),
        minutes=0.5,
    ),
    Measurement(
        "edit",
        "an edit from file to file, with all loaded and from the command on; a video",
        ("scripts/time_edit.py", "--json", JSON),
        from_json,
        (*ONE_PASS, "editing", "photo_editing", "video", "cli"),
        (GENERATORS[1], NETWORK, "directions-ffhq.safetensors"),
        minutes=2,
    ),
    Measurement(
        "studio",
        "what users of the studio wait for, in Chromium",
        ("scripts/studio_trials.py", "--out", JSON),
        studio_json,
        ("studio", *ONE_PASS, "photo_editing"),
        (GENERATORS[1], NETWORK),
        minutes=4,
    ),
    Measurement(
        "bulk",
        "photos a second of latentloop bulk",
        ("scripts/bulk_trials.py", "speed", "{samples}", "--count", "60", "--out", JSON),
        from_json,
        ("bulk", *ONE_PASS, "evaluation"),
        (GENERATORS[1], NETWORK),
        minutes=5,
    ),
    Measurement(
        "one-pass",
        "one pass of the network on held-out photos, by part",
        ("scripts/network_figures.py", "base-ffhq", "--photos", "{held_out}", "--json", JSON),
        from_json,
        ("encoders", "generators", "evaluation", "metrics"),
        (GENERATORS[0], NETWORK),
        minutes=8,
    ),
)
"""Measurements with one command and one record each; `methods` of `measuring.methods` comes beside them."""


def named(name: str) -> Measurement:
    """Return a measurement.

    Raises:
        LookupError: There is none of this name.
    """
    found = {one.name: one for one in MEASUREMENTS}
    if name not in found:
        raise LookupError(f"no measurement is called {name}; there are {', '.join(found)}, methods")
    return found[name]
