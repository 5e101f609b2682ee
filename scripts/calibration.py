"""Write docs/calibration.md: metrics, losses and generators beside their references.

python scripts/calibration.py docs/calibration.md
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from calibration_entries import ENTRIES, Row, measured

HEADINGS = ("kind", "what", "computed on", "there", "here", "difference", "tolerance", "reference")
PAGE = """# Calibration

Every metric of `latentloop.metrics`, every loss of `latentloop.losses`, the priors on codes and the kinds of
generators, each beside a reference that shares no code with the package. *There* is the reference's value, *here* is
ours. How to [add a metric](#add-a-metric) stands below the table.

- Of several images, a value is the mean; of images and vectors it is the root mean square of their numbers.
- The difference is the largest of any number: of any image's value, of any pixel.
- NumPy's definitions, scikit-image and both networks compute in float64. OpenVINO, NVIDIA's program and the published
  LPIPS computed in float32.
- VGG16's weights are too large for the package, so LPIPS (vgg) is compared on random weights.
- Not in the table: mobile-ffhq-256, our own distillation, which the
  [lab notebook](lab-notebook.md#faithfulness-of-mobile-ffhq-256) compares with mobile-ffhq-1024; and the terms that
  only earlier methods descend, the feature loss and PTI's locality term, which `tests/baselines/` tests.
- Rows of parameters compare our count with a number that is typed into `tests/calibration_entries.py`; no program of
  the projects runs there. StyleGAN1's and StyleGAN3's are printed by NVlabs/stylegan and NVlabs/stylegan3 when training
  begins. The others were counted in the modules of NVlabs/stylegan2-ada-pytorch, eladrich/pixel2style2pixel,
  omertov/encoder4editing and yuval-alaluf/restyle-encoder, which
  [also ran beside ours](checkpoints.md#how-close-the-images-are-to-the-projects-own) on 25 November 2026.

`python scripts/calibration.py docs/calibration.md` writes this page. `tests/test_calibration.py` recomputes it. The
test fails if a difference is beyond its tolerance, a text changes, a value changes by 0.1 %, or a difference changes by
a factor of ten. Differences below a thousandth of the tolerance count as equal. The digits below are those of two
virtual processors of an AMD EPYC, 29 November 2026.

{table}

## Add a metric

A metric is a function in `latentloop/metrics/` that takes images and targets, (N, 3, H, W) in [-1, 1], and returns one
value per image, (N,).

1. Write the function; `images.check_alike` refuses wrong shapes and types.
2. State its label, its range and `higher_is_better` in `FACTS`, in `latentloop/metrics/facts.py`. Reports, tables and
   plots take their headings, decimals and arrows from there.
3. Write a reference in `tests/references/metrics.py`: another library, or the definition in NumPy.
4. Add a line to `METRICS` in `tests/metric_cases.py`. The metric then gets the five tests of `tests/metric_tester.py`:
   the reference's value; one value per image, however the batch is split; range, perfect value, symmetry and direction;
   the gradient against finite differences; float32 against float64, and an error for input that is not an image batch.
   A test fails while a metric in `FACTS` has no such line.
5. Run the script above: the page gets a row.
6. Name it where it is to be measured. For `latentloop embed`: `METRICS` and `Evaluator` in
   `latentloop/evaluation/measure.py`, and `SHOWN` in `latentloop/embedding/labels.py`, which the report shows. For
   `latentloop bench`: `latentloop/benchmark/protocols.py`.

A loss of images gets a line in `LOSSES`, in the same file of cases, and the same tests; a generator gets an entry in
`tests/calibration_entries.py`.
"""


def page(rows: Sequence[Row]) -> str:
    """Lay out the page."""
    lines = [HEADINGS, ("---", "---", "---", "--:", "--:", "--:", "--:", "---"), *(row.cells for row in rows)]
    return PAGE.format(table="\n".join(f"| {' | '.join(cells)} |" for cells in lines))


def main() -> None:
    """Measure all entries and write the page."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.page.write_text(page([measured(entry) for entry in ENTRIES]), encoding="utf-8")


if __name__ == "__main__":
    main()
