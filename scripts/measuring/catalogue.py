"""All measurements of the speed page and of the table of methods."""

from measuring.measurement import JSON, Measurement
from measuring.readers import from_json, generator_table, studio_json

DRAWING = ("allocator.py", "benchmark/generator_speed.py")
"""Modules of `latentloop bench generator`; the module of `bench` leads to all that it can measure."""

MEASUREMENTS = (
    Measurement(
        "generator",
        "the generators beside the machine's convolution, one image",
        ("-m", "latentloop", "bench", "generator", "--batches", "1"),
        generator_table,
        DRAWING,
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
        DRAWING,
        minutes=1.5,
    ),
    Measurement(
        "iterator-step",
        "a step of the iterator",
        ("scripts/time_step.py", "--json", JSON),
        from_json,
        minutes=0.5,
    ),
    Measurement(
        "edit",
        "an edit from file to file, with all loaded and from the command on; a video",
        ("scripts/time_edit.py", "--json", JSON),
        from_json,
        ("cli/edit.py",),
        minutes=2,
    ),
    Measurement(
        "studio",
        "what users of the studio wait for, in Chromium",
        ("scripts/studio_trials.py", "--out", JSON),
        studio_json,
        ("cli/studio.py",),
        minutes=4,
    ),
    Measurement(
        "bulk",
        "photos a second of latentloop bulk",
        ("scripts/bulk_trials.py", "speed", "{samples}", "--count", "500", "--out", JSON),
        from_json,
        ("cli/bulk.py",),
        minutes=25,
    ),
    Measurement(
        "one-pass",
        "one pass of the network on held-out photos, by part",
        ("scripts/network_figures.py", "base-ffhq", "--photos", "{held_out}", "--json", JSON),
        from_json,
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
