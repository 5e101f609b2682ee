"""Every reader of files that may be anybody's, each with a builder of a small whole file: one table for the fuzzer."""

import json
import pickle
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from clips import pictures, write_clip
from conftest import ToyGenerator
from foreign_files import WholeModule, nvidia_module, nvidia_snapshot, published_names, tensorflow_snapshot
from latentloop.benchmark.by_set import read_beside
from latentloop.benchmark.finders import Codes
from latentloop.benchmark.result_files import BenchmarkFolder, Cost, Stored
from latentloop.cache import CodeCache, CodeSpace, space_of
from latentloop.editing import Direction
from latentloop.editing.direction_file import directions_in, save_directions
from latentloop.encoders import EmbedderConfig, load_encoder, make_embedder
from latentloop.encoders.embedder_file import save_embedder
from latentloop.generators import LowRank, Refinement, Residual, load_generator, stylegan2, stylegan3
from latentloop.generators.stylegan3 import StyleGAN3
from latentloop.image_info import colour_profile, gif_comment, is_animated, png_comment
from latentloop.images import read_image
from latentloop.inversion.metric_estimate import metric_of
from latentloop.inversion.metric_file import read_metric, save_metric
from latentloop.latents import mean_code
from latentloop.latents.code_file import Code, load_code, save_code
from latentloop.latents.foreign_files import read_latents
from latentloop.photo_editing.direction_samples import draw_scorable, read_samples, read_scores
from latentloop.photo_editing.video_work import VideoWork
from latentloop.photos.find import find_training_photos
from latentloop.training.checkpoint import load_checkpoint, save_checkpoint
from latentloop.training.options import TrainOptions
from latentloop.training.run_log import RunLog
from latentloop.training.settings_file import read_options, write_options
from latentloop.video.reading import read_video
from latentloop.weights import WeightsFile
from layouts import ARRAY, CACHE, LINES, PLAIN, PNG_CHUNKS, SAFETENSORS, TAR, ZIP, Layout
from psp_checkpoints import LAST, checkpoint
from stylegan1_tensors import variables
from stylegan2_tensors import genforce, nvidia, random_stylegan2, rosinality, tensorflow
from stylegan3_tensors import nvidia_tensors

Build = Callable[[Path], object]
Read = Callable[[Path], object]


@dataclass(frozen=True)
class Reader:
    """A kind of file."""

    build: Build
    """Writes a whole one."""
    read: Read
    """Reads one, or raises `UserError`."""
    layout: Layout = PLAIN
    """How its parts are found."""
    name: str = "file"
    """Name that the file must have."""


TOY = ToyGenerator().requires_grad_(False)
RANDOM = torch.Generator().manual_seed(3)
STYLEGAN2 = random_stylegan2(stylegan2.Shape(mapping=(3, 3, 3), channels=(2, 2)))
STYLEGAN2_TENSORS = nvidia(STYLEGAN2)
STYLEGAN3 = StyleGAN3(stylegan3.Shape(mapping=(3, 3), channels=(2, 2, 2), resolution=16), name="", fingerprint="")
SPACE = CodeSpace(TOY.fingerprint, num_ws=4, w_dim=8, loss={"lambda_lpips": 0.8})
PHOTO = pictures(1, height=40, width=30)[0]
TINY = EmbedderConfig(
    resolution=64, channels=(8, 16, 16), depths=(1, 2, 1), fusion_blocks=1, identity="none", head_channels=4
)


def _snapshot(protocol: int) -> Build:
    def build(path: Path) -> None:
        with published_names():
            module = nvidia_module(STYLEGAN2_TENSORS, {"synthesis_kwargs": {}}, layers={"conv_clamp": 256})
            path.write_bytes(nvidia_snapshot(module, protocol=protocol))

    return build


def _stylegan3(path: Path) -> None:
    with published_names():
        path.write_bytes(nvidia_snapshot(nvidia_module(nvidia_tensors(STYLEGAN3), {"img_resolution": 16})))


def _tensorflow1(path: Path) -> None:
    tensors = {name: torch.tensor(value) for name, value in variables((3, 2)).items()}
    with published_names():
        path.write_bytes(tensorflow_snapshot(tensors, {"resolution": 8}))


def _tensorflow2(path: Path) -> None:
    with published_names():
        path.write_bytes(tensorflow_snapshot(tensorflow(STYLEGAN2_TENSORS), {"resolution": 8}))


def _psp(path: Path) -> None:
    content = {"state_dict": checkpoint(LAST[0], num_ws=4), "opts": {"encoder_type": LAST[0]}}
    torch.save(content | {"latent_avg": mean_code(TOY)[0]}, path)


def _metric(path: Path) -> None:
    halves = torch.randn(4, 8, 8, generator=RANDOM)
    save_metric(path, metric_of(halves.mT @ halves, fingerprint=TOY.fingerprint), {"samples": 3})


def _directions(path: Path) -> None:
    one = Direction("smile", torch.ones(8), (1, 2), 4, fingerprint=TOY.fingerprint, generator=TOY.name)
    save_directions(path, [one, replace(one, name="age", vector=torch.ones(4, 8))])


def _code(path: Path) -> None:
    photo = {"file": "anna.jpg", "sha256": "ab" * 32, "faces": None}
    details = {"photo": photo, "settings": {"steps": 2}, "metrics": {"mse": 0.01, "id": 0.8}, "seconds": 1.5}
    quad, w_plus = torch.ones(4, 2, dtype=torch.float64), torch.ones(4, 8)
    save_code(path, Code(w_plus, "w+", TOY.name, TOY.fingerprint, quad, (640, 480), torch.ones(3), 2, details))


def _refined_code(path: Path) -> None:
    _code(path)
    deltas = {f"synthesis.convs.{i}.weight": LowRank(torch.ones(4, 1), torch.ones(9, 1)) for i in range(2)}
    refinement = Refinement(TOY.name, "ab" * 8, Residual(8, torch.ones(2, 8, 8), torch.ones(4, 8)), deltas)
    save_code(path, replace(load_code(path), refinement=refinement))


def _cache(path: Path) -> None:
    codes = CodeCache(path, SPACE)
    codes.update([b"a" * 32, b"b" * 32], torch.ones(2, 4, 8), torch.tensor([0.5, 0.25]), step=3)
    codes.close()


def _read_cache(path: Path) -> None:
    codes = CodeCache(path, space_of(path))
    with closing(codes):
        codes.lookup(list(codes.photos()))
        list(codes.losses())
        codes.update([b"c" * 32], torch.ones(1, codes.space.num_ws, codes.space.w_dim), torch.ones(1), step=4)


def _checkpoint(path: Path) -> None:
    state = {"step": 3, "losses": [0.5, 0.25], "optimizer": {0: {"exp_avg": torch.ones(8)}}, "best": None}
    save_checkpoint(path, kind="embedding", config={"steps": 4}, state=state)


def _picture(form: str, mode: str = "RGB", **options: Any) -> Build:  # noqa: ANN401
    def build(path: Path) -> None:
        image = Image.fromarray(PHOTO).convert(mode)
        image.save(path, form, **options)

    return build


def _grey16(path: Path) -> None:
    Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257).save(path, "PNG")


def _animation(form: str) -> Build:
    def build(path: Path) -> None:
        first, *others = map(Image.fromarray, pictures(3, height=40, width=30))
        first.save(path, form, save_all=True, append_images=others, duration=40)

    return build


def _read_picture(path: Path) -> None:
    read_image(path)
    colour_profile(path)
    for what in (is_animated, png_comment, gif_comment):
        what(path)


def _clip(codec: str) -> Build:
    def build(path: Path) -> None:
        write_clip(path, pictures(3), codec=codec, sound="aac" if codec == "libx264" else None)

    return build


def _read_clip(path: Path) -> None:
    for _ in read_video(path).frames():
        pass


def _tar(path: Path) -> None:
    photo = path.with_name("photo.png")
    Image.fromarray(PHOTO).save(photo)
    with tarfile.open(path, "w") as archive:
        for name in ("a.png", "folder/b.png"):
            archive.add(photo, name)


def _read_tar(path: Path) -> None:
    for photo in find_training_photos([str(path)]):
        photo.read()


def _npz(path: Path, **arrays: Any) -> None:  # noqa: ANN401
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _npy(path: Path, array: Any) -> None:  # noqa: ANN401
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=True)


def _summary(path: Path) -> None:
    methods = {"quick": {"title": "Quick", "means": {"mse": 0.1, "id": 0.5}}}
    path.write_text(json.dumps({"name": "toys", "images": 2, "conditions": {"protocol": "psp"}, "methods": methods}))


def _result(path: Path) -> None:
    cost = Cost(seconds=0.5, memory=None, calls=3, batch=1)
    BenchmarkFolder(path.parents[1]).write_figures(path.parent.name, "a", Stored("key", cost, {"psp": {"mse": 0.1}}))


def _code_of_result(path: Path) -> None:
    stored = Stored("key", Cost(seconds=0.5, memory=None, calls=3, batch=1), {})
    code = Codes(torch.ones(1, 4, 8), (torch.ones(1, 1, 4, 4),))
    BenchmarkFolder(path.parents[1]).write(path.parent.name, "a", stored, code, torch.zeros(1, 3, 4, 4))


def _read_result(path: Path) -> None:
    for suffix in (".npz", ".png"):
        path.with_suffix(suffix).touch()
    BenchmarkFolder(path.parents[1]).read(path.parent.name, "a")


def _video_work(frames: int) -> Build:
    """Reads the codes of frames, and writes those of some more."""
    return lambda path: VideoWork(path.parent, {"video": "checksum"}).collect(
        "codes", {}, lambda _: [torch.ones(4, 8)] * frames, lambda _: None
    )


def _torch(content: object, **options: Any) -> Build:  # noqa: ANN401
    return lambda path: torch.save(content, path, **options)


def _arrays(path: Path) -> None:
    path.write_bytes(pickle.dumps({"G_ema": {name: tensor.numpy() for name, tensor in STYLEGAN2_TENSORS.items()}}))


READERS: dict[str, Reader] = {
    **{f"ADA, pickle protocol {n}": Reader(_snapshot(n), load_generator) for n in range(6)},
    "StyleGAN3": Reader(_stylegan3, load_generator),
    "StyleGAN1 in TensorFlow": Reader(_tensorflow1, load_generator),
    "StyleGAN2 in TensorFlow": Reader(_tensorflow2, load_generator),
    "rosinality": Reader(
        _torch({"g_ema": rosinality(STYLEGAN2_TENSORS), "latent_avg": STYLEGAN2.latent_avg}), load_generator, ZIP
    ),
    "genforce": Reader(_torch({"generator_smooth": genforce(STYLEGAN2_TENSORS)}), load_generator, ZIP),
    "torch.save before 1.6": Reader(
        _torch(nvidia_tensors(STYLEGAN3), _use_new_zipfile_serialization=False), load_generator
    ),
    "torch.save before 1.6, protocol 4": Reader(
        _torch(STYLEGAN2_TENSORS, _use_new_zipfile_serialization=False, pickle_protocol=4), load_generator
    ),
    "arrays of NumPy": Reader(_arrays, load_generator),
    "whole module": Reader(_torch(WholeModule(rosinality(STYLEGAN2_TENSORS))), load_generator, ZIP),
    "ADA in safetensors": Reader(lambda path: save_file(STYLEGAN2_TENSORS, path), load_generator, SAFETENSORS),
    "our generator": Reader(
        lambda path: save_file(dict(STYLEGAN2.state_dict()), path, {"latentloop": 'stylegan2 {"clamp": 256}'}),
        load_generator,
        SAFETENSORS,
    ),
    "pSp": Reader(_psp, lambda path: load_encoder(path, TOY), ZIP),
    "our embedder": Reader(
        lambda path: save_embedder(path, make_embedder(TINY, TOY, seed=0)),
        lambda path: load_encoder(path, TOY),
        SAFETENSORS,
    ),
    "metric": Reader(_metric, lambda path: read_metric(WeightsFile(path), TOY), SAFETENSORS),
    "directions": Reader(_directions, lambda path: directions_in(path, TOY), SAFETENSORS),
    "directions, npy": Reader(lambda path: _npy(path, np.ones((4, 8))), lambda path: directions_in(path, TOY), ARRAY),
    "directions, GANSpace": Reader(
        lambda path: _npz(path, lat_comp=np.ones((2, 1, 8)), lat_stdev=np.ones(2)),
        lambda path: directions_in(path, TOY),
        ZIP,
    ),
    "directions, SeFa": Reader(_torch({"eigvec": torch.ones(8, 3)}), lambda path: directions_in(path, TOY), ZIP),
    "samples": Reader(
        lambda path: list(draw_scorable(TOY, path.parent, 2, seed=0)),
        lambda path: read_samples(path.parent, TOY),
        SAFETENSORS,
        name="codes.safetensors",
    ),
    "scores": Reader(
        lambda path: path.write_text("image,smile\na.png,0.5\nb.png,\n"),
        lambda path: read_scores(path, "smile", ("a.png", "b.png")),
    ),
    "code": Reader(_code, load_code, ZIP),
    "code with a refinement": Reader(_refined_code, load_code, ZIP),
    "codes, npy": Reader(lambda path: _npy(path, np.ones((2, 4, 8))), lambda path: read_latents(path, TOY), ARRAY),
    "codes, dict in npy": Reader(
        lambda path: _npy(path, {"a": [np.ones((4, 8), np.float32)], "b": [np.ones((4, 8), np.float32)]}),
        lambda path: read_latents(path, TOY),
        ARRAY,
    ),
    "codes, npz": Reader(
        lambda path: _npz(path, w=np.ones((2, 4, 8), np.float32)), lambda path: read_latents(path, TOY), ZIP
    ),
    "codes, pt": Reader(
        _torch({"a.png": {"latent": torch.ones(4, 8), "noise": []}}), lambda path: read_latents(path, TOY), ZIP
    ),
    "cache": Reader(_cache, _read_cache, CACHE),
    "training checkpoint": Reader(
        _checkpoint, lambda path: load_checkpoint(path, kind="embedding", config={"steps": 4}), SAFETENSORS
    ),
    "training settings": Reader(
        lambda path: write_options(TrainOptions(out=path.parent, data=("faces",))),
        lambda path: read_options(path.parent),
        name="config.json",
    ),
    "training log": Reader(
        lambda path: path.write_text(
            '{"step": 1, "loss": 0.5, "seconds": 1.5}\n{"step": 2, "loss": 0.25, "seconds": 3}\n'
        ),
        lambda path: RunLog(path).lines(2),
        LINES,
    ),
    "benchmark summary": Reader(
        _summary, lambda path: read_beside([path.parent], "others", {"protocol": "psp"}), name="summary.json"
    ),
    "benchmark result": Reader(_result, _read_result, name="a.json"),
    "benchmark code": Reader(
        _code_of_result,
        lambda path: BenchmarkFolder(path.parents[1]).read_code(path.parent.name, "a"),
        ZIP,
        name="a.npz",
    ),
    "codes of a video": Reader(_video_work(2), _video_work(0), ZIP, name="codes.npz"),
    "PNG": Reader(_picture("PNG", icc_profile=b"profile"), _read_picture, PNG_CHUNKS),
    "PNG, 16-bit grey": Reader(_grey16, _read_picture, PNG_CHUNKS),
    "PNG, palette": Reader(_picture("PNG", "P", transparency=0), _read_picture, PNG_CHUNKS),
    "PNG, animated": Reader(_animation("PNG"), _read_picture, PNG_CHUNKS),
    "JPEG": Reader(_picture("JPEG", exif=Image.Exif()), _read_picture),
    "JPEG, progressive CMYK": Reader(_picture("JPEG", "CMYK", progressive=True), _read_picture),
    "WebP": Reader(_picture("WEBP"), _read_picture),
    "GIF": Reader(_animation("GIF"), _read_picture),
    "TIFF": Reader(_picture("TIFF", compression="tiff_lzw"), _read_picture),
    "AVIF": Reader(_picture("AVIF"), _read_picture),
    "JPEG 2000": Reader(_picture("JPEG2000"), _read_picture),
    "BMP": Reader(_picture("BMP"), _read_picture),
    "tar of photos": Reader(_tar, _read_tar, TAR, name="photos.tar"),
    "video, GIF": Reader(_animation("GIF"), _read_clip),
    "video, MP4": Reader(_clip("libx264"), _read_clip, name="clip.mp4"),
    "video, WebM": Reader(_clip("libvpx"), _read_clip, name="clip.webm"),
}
"""All readers by the kind of file."""
