from pathlib import Path

import numpy as np
import pytest

from latentloop.checkpoints.openvino import read_constants
from latentloop.errors import UserError

MODEL = """<net name="toy" version="10"><layers>
<layer id="0" name="x" type="Parameter"><data shape="1, 2" element_type="f32"/></layer>
<layer id="1" name="weight" type="Const"><data element_type="f32" shape="2, 3" offset="8" size="24"/></layer>
<layer id="2" name="axis" type="Const"><data element_type="i64" shape="" offset="0" size="8"/></layer>
</layers></net>"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    xml = tmp_path / "toy.xml"
    xml.write_text(MODEL)
    xml.with_suffix(".bin").write_bytes(np.int64(7).tobytes() + np.arange(6, dtype="<f4").tobytes())
    return xml


def test_constants_come_in_order_with_their_shapes(model: Path) -> None:
    weight, axis = read_constants(model)
    assert (weight.name, axis.name) == ("weight", "axis")
    np.testing.assert_array_equal(weight.value, [[0, 1, 2], [3, 4, 5]])
    assert axis.value.shape == ()
    assert axis.value == 7


def test_a_truncated_bin_file_is_refused(model: Path) -> None:
    binary = model.with_suffix(".bin")
    binary.write_bytes(binary.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"toy.xml: constant weight does not fit its .bin file: truncated\?"):
        read_constants(model)


def test_what_is_not_a_model_is_refused(tmp_path: Path, model: Path) -> None:
    with pytest.raises(UserError, match="not a readable OpenVINO model"):
        read_constants(tmp_path / "missing.xml")
    model.write_text("<net/>")
    with pytest.raises(UserError, match="it has no <layers>"):
        read_constants(model)
    model.write_text(MODEL.replace("i64", "i4096"))
    with pytest.raises(UserError, match="not an OpenVINO model of version 10: 'i4096'"):
        read_constants(model)
    model.write_text("not xml")
    with pytest.raises(UserError, match="not a readable OpenVINO model"):
        read_constants(model)
