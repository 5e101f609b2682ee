import os
from pathlib import Path

import torch

from latentloop.training.tensorboard_log import TensorBoardLog


def test_a_folder_whose_name_is_not_utf_8_gets_no_log(tmp_path: Path) -> None:
    with TensorBoardLog(tmp_path / os.fsdecode(b"run\xff"), step=0) as log:
        log.scalars({"step": 1, "loss": 0.5})
        log.picture(torch.zeros(1, 3, 8, 8), 1)
