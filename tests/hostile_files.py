"""Small files that broke this package or another one, as their finders left them, each with what is right: one table.

The files lie in `hostile/files`. Weights in them are random, faces are CC0 portraits.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from conftest import ToyGenerator
from latentloop.cache import CodeCache, space_of
from latentloop.faces import load_face_detector
from latentloop.generators import Generator, load_generator
from latentloop.images import read_image
from latentloop.latents.code_file import load_code
from latentloop.latents.foreign_files import Latents, read_latents
from latentloop.photo_editing.video_editor import find_quad
from latentloop.photos.find import find_training_photos
from latentloop.training.checkpoint import load_checkpoint
from latentloop.video import Video, read_video

FILES = Path(__file__).parent / "hostile" / "files"


@dataclass(frozen=True)
class Case:
    """A file that is read, or refused in one line."""

    kind: str
    """What it is taken for: checkpoint, photo, video, or own, a file as we write them."""
    read: Callable[[Path], Any]
    """Reads it."""
    right: str | Callable[[Any], None]
    """Pattern of the line that refuses it; or checks what was read."""


def _cache(path: Path) -> None:
    with closing(CodeCache(path, space_of(path))) as codes:
        codes.lookup(list(codes.photos()))


def _checkpoint(path: Path) -> None:
    load_checkpoint(path, kind="training", config={})


def _sparse(path: Path) -> None:
    for photo in find_training_photos([str(path)]):
        photo.read()


def _foreign(num_ws: int, w_dim: int) -> Callable[[Path], Latents]:
    def read(path: Path) -> Latents:
        generator = ToyGenerator()
        generator.num_ws, generator.w_dim = num_ws, w_dim
        return read_latents(path, generator)

    return read


def _draws_as_its_project(generator: Generator) -> None:
    drawn = np.load(FILES / "ada-cifar-orig-architecture.pkl.ref.npz")
    w_plus = generator.mapping(torch.from_numpy(drawn["z"]))[:, None].expand(-1, generator.num_ws, -1)
    torch.testing.assert_close(generator.synthesis(w_plus), torch.from_numpy(drawn["img"]), atol=1e-5, rtol=1e-5)


def _has_a_mean(generator: Generator) -> None:
    assert generator.c_dim == 10_000
    assert generator.latent_avg.isfinite().all()


def _holds(count: int, width: int = 360, height: int = 360, rate: float = 10, *, sound: bool = False) -> Any:  # noqa: ANN401
    def check(video: Video) -> None:
        frames = list(video.frames())
        assert (len(frames), video.frame_count) == (count, count)
        assert {tuple(frame.shape) for frame in frames} == {(1, 3, height, width)}
        assert abs(float(video.rate) - rate) < 0.01
        assert video.has_audio == sound
        quad = find_quad(frames[0], load_face_detector(), near=None)
        assert quad is not None
        across = quad[3] - quad[0]
        assert across.norm() > 300
        assert abs(across[0]) > 10 * abs(across[1])

    return check


def _is_upside_down(video: Video) -> None:
    quad = find_quad(next(video.frames()), load_face_detector(), near=None)
    assert quad is not None
    assert quad[3, 0] - quad[0, 0] < -300


def _is_one_code(latents: Latents) -> None:
    assert tuple(latents.codes.shape) == (1, 8, 32)


NO_CODE = r"not a code file of latentloop, or damaged \("
NO_MODULE = r"\(more than 10000 modules, or one within itself\)"
CASES: dict[str, Case] = {
    "ada-cifar-orig-architecture.pkl": Case("checkpoint", load_generator, _draws_as_its_project),
    "classes-10000.pkl": Case("checkpoint", load_generator, _has_a_mean),
    "modules-500.pkl": Case("checkpoint", load_generator, f"damaged, truncated or not a checkpoint {NO_MODULE}"),
    "lucid-model_12.pt": Case("checkpoint", load_generator, "of lucidrains' StyleGAN2, which is not supported"),
    "html.pkl": Case("checkpoint", load_generator, "a web page, not weights: the download failed"),
    "lfs.pkl": Case("checkpoint", load_generator, "a Git LFS pointer: the weights are not here yet"),
    "generator-70-dims.safetensors": Case("checkpoint", load_generator, "has more than 8 dimensions"),
    "generator-f4-dtype.safetensors": Case("checkpoint", load_generator, "has numbers of a type that is not read"),
    "size-10000000.pt": Case("checkpoint", load_generator, r"not a checkpoint \(a shape that is not a list of sizes\)"),
    "size-many.pt": Case("checkpoint", load_generator, r"not a checkpoint \(a shape that is not a list of sizes\)"),
    "odict-10000000.pt": Case("checkpoint", load_generator, r"not a checkpoint \(items that are not pairs\)"),
    "names-1000.pt": Case("own", _foreign(16, 512), "has one code under several names"),
    "pti-w-pivot.pt": Case("own", _foreign(8, 32), _is_one_code),
    "rosinality-projector-latent.pt": Case("own", _foreign(8, 32), _is_one_code),
    "code-8kB-message.npz": Case("own", load_code, NO_CODE),
    "code-attributeerror-w_plus.npz": Case("own", load_code, f"{NO_CODE}the magic string is not correct"),
    "code-newline-message.npz": Case("own", load_code, f"{NO_CODE}fingerprint must be a text"),
    "code-tokenerror.npz": Case("own", load_code, NO_CODE),
    "cache-endless-view.cache": Case("own", _cache, "not a cache of codes; choose another file"),
    "cache-null-about.cache": Case("own", _cache, "damaged: a description that is no text"),
    "cache-bad-utf8.cache": Case("own", _cache, "damaged: 'utf-8' codec can't decode"),
    "checkpoint-deep-json.safetensors": Case("own", _checkpoint, "not a checkpoint of a training run, or damaged"),
    "sparse.tar": Case(
        "photo", _sparse, "a.jpg: sparse members are not supported; pack the file without tar's sparse option"
    ),
    "apng-287-bytes-1.3GB.png": Case("photo", read_image, "1,703,968 x 24 pixels; up to 65,535 along a side are read"),
    "clip.webm": Case("video", read_video, _holds(8, sound=True)),
    "odd.mp4": Case("video", read_video, _holds(8, 352, 356)),
    "phone.mp4": Case("video", read_video, _holds(8)),
    "vfr.mp4": Case("video", read_video, _holds(8, rate=40 / 7)),
    "only-sound.mp4": Case("video", read_video, "no pictures in this file, only sound"),
    "upside-down.mp4": Case("video", read_video, _is_upside_down),
}
"""All cases by the names of their files."""
BUILT = {
    "pickle-protocol-2.pkl": "checkpoints/test_foreign_files.py::test_nvidia_in_pytorch",
    "pti-whole-module.pt": "checkpoints/test_finding.py::test_a_whole_module_is_read",
    "ada-bare-module.pkl": "checkpoints/test_finding.py::test_networks_are_found_whatever_holds_them",
    "tf-gs-only.pkl": "checkpoints/test_finding.py::test_networks_are_found_whatever_holds_them",
    "tf-idinvert-E-G-D-Gs.pkl": "checkpoints/test_finding.py::test_networks_are_found_whatever_holds_them",
    "ada-state-dict-ddp-prefix.pt": "checkpoints/test_finding.py::test_tensors_are_found_wherever_they_lie",
    "rosi-ddp.pt": "checkpoints/test_finding.py::test_tensors_are_found_wherever_they_lie",
    "psp250-generator-as-state_dict.pt": "checkpoints/test_finding.py::test_tensors_are_found_wherever_they_lie",
    "ada-tensors.safetensors": "checkpoints/test_finding.py::test_a_projects_names_in_safetensors",
    "rosi-jojo-g-only.pt": "checkpoints/test_finding.py::test_a_training_that_has_the_raw_generator_alone_says_so",
    "a foreign class": "checkpoints/test_finding.py::test_what_a_generator_does_not_need_may_be_unknown",
    "stylegan-xl-*-dill.pkl": "checkpoints/test_finding.py::test_projects_are_known_by_the_names_of_their_classes",
    "rectangular, StyleGAN-XL with classes": (
        "checkpoints/test_finding.py::test_what_is_not_drawn_is_refused_by_its_projects_name"
    ),
    "rgba-4-channels.pkl": "checkpoints/test_foreign_files.py::test_what_we_cannot_draw_is_refused_in_one_line",
    "grey": "generators/test_stylegan2_file.py::test_grey_images_get_three_equal_channels",
    "no noise": "generators/test_stylegan2_file.py::test_a_network_without_noise_draws_as_with_none",
    "NaN": "checkpoints/test_foreign_files.py::test_what_we_cannot_draw_is_refused_in_one_line",
    "turned photos": "faces/test_upright.py::test_faces_are_aligned_upright_whichever_way_the_photo_is_turned",
    "two-frames-without-a-face.mp4": "photo_editing/test_video.py::test_frames_without_a_face_stay_as_they_are",
    "20M-by-1.png": "test_images.py::test_sides_that_no_photo_has_are_refused_before_they_are_decoded",
    "pipes": "fuzz/test_fuzz.py::test_a_pipe_in_the_place_of_a_file_is_not_waited_for",
    "write-png-of-bytes.py": "test_misuse.py::test_wrong_ranges_types_and_names_are_refused_with_what_is_taken",
    "NumPy bombs": "latents/test_numpy_archive.py::test_arrays_that_claim_too_much_are_refused",
    "claims": "encoders/test_embedder_file.py::test_a_huge_or_odd_claim_is_refused_before_anything_is_built",
    "many faces": "embedding/test_result_folder.py::test_a_code_that_claims_millions_of_faces_is_looked_for_once",
    "code-photo-is-a-number.npz": "embedding/test_result_folder.py::test_details_of_other_types_are_nobodys_result",
    "import-nan-loss.npz": "cli/test_cache_command.py::test_a_code_with_odd_details_is_refused_and_changes_nothing",
    "refine-under-no-grad.py": "inversion/test_iterator.py::test_it_works_where_gradients_are_switched_off",
    "damaged code in --out": "embedding/test_job.py::test_a_photo_whose_code_is_damaged_is_redone_and_that_is_said",
    "files of others": "cli/test_files_of_others.py::test_a_file_of_somebody_else_stays",
    "closed, full, broken output": "cli/test_streams.py::test_a_closed_output_is_no_error",
    "odd-names.sh": "cli/test_streams.py::test_a_name_that_the_output_cannot_encode_is_escaped",
    "little-memory.py": "cli/test_streams.py::test_memory_that_has_run_out_is_told_in_one_line",
    "links in circles": "test_globs.py::test_folders_that_link_to_themselves_and_each_other_come_once",
    "longer-training.sh": "cli/test_train_command.py::test_a_finished_run_can_be_made_longer",
}
"""Kinds whose files are built by tests, which are named by their file and function."""
