from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import latentloop
from latentloop.editing import Direction
from latentloop.editing.direction_file import save_directions
from latentloop.embedding.components import load_components
from latentloop.errors import UserError
from latentloop.generators import (
    DrawnBy,
    Generator,
    LowRank,
    MobileStyleGAN,
    Refinement,
    Residual,
    load_generator,
    refined,
    seamed,
    weights_fingerprint,
)
from latentloop.generators.residual import fade
from latentloop.images import to_uint8
from latentloop.latents import load_code, sample_codes, save_code
from latentloop.latents.code_file import Code
from latentloop.photo_editing import Listener, SubjectOptions, edit_files, mix_files, morph_files
from latentloop.photo_editing.editor import Editor, strength_strip
from latentloop.photo_editing.frames import animate_edit
from latentloop.photo_editing.job_options import MixOptions, MorphOptions
from latentloop.photo_editing.mixing_table import MixingTable
from latentloop.photo_editing.refined_subjects import refine_renderer, with_refinements
from latentloop.photo_editing.subjects import Subject, subject_of_codes
from small_generators import SmallGenerator

MakeCode = Callable[..., Code]
PhotoWithCode = tuple[Path, Path]
CHANGED = "synthesis.conv1.conv.weight"


@dataclass(frozen=True)
class Studio:
    """A small generator, two refined codes of it in files, and a direction."""

    generator: Generator
    codes: tuple[Code, Code]
    files: tuple[Path, Path]
    direction: str
    subjects: SubjectOptions
    complaints: list[str]

    @property
    def listener(self) -> Listener:
        return Listener(complain=lambda error: self.complaints.append(str(error)))

    def drawn(self, code: Code, w_plus: Tensor | None = None) -> np.ndarray:
        """What a code draws with its refinement, by its definition."""
        assert code.refinement is not None
        by = refined(self.generator, code.refinement)
        return to_uint8(by.synthesis((code.w_plus if w_plus is None else w_plus)[None])[0])


@pytest.fixture
def studio(small_generator: SmallGenerator, make_code: MakeCode, tmp_path: Path) -> Studio:
    path = small_generator()
    generator = load_generator(path)
    direction = Direction("smile", 300 * torch.ones(8), (1, 2), 6, fingerprint=generator.fingerprint, generator="small")
    save_directions(tmp_path / "d.safetensors", [direction])
    codes = [_refined_code(generator, make_code, seed) for seed in (1, 2)]
    for name, code in zip(("anna", "ben"), codes, strict=True):
        save_code(tmp_path / f"{name}.npz", code)
    subjects = SubjectOptions(generator=str(path), device="cpu")
    files = (tmp_path / "anna.npz", tmp_path / "ben.npz")
    return Studio(generator, (codes[0], codes[1]), files, f"{tmp_path / 'd.safetensors'}:smile", subjects, [])


def _refined_code(generator: Generator, make_code: MakeCode, seed: int) -> Code:
    randomness = torch.Generator().manual_seed(seed)
    w_plus = sample_codes(generator, 1, randomness=randomness)[0]
    u, v = (torch.randn(n, 1, generator=randomness) for n in (8, 72))
    refinement = Refinement(
        generator.name,
        weights_fingerprint(generator),
        Residual(8, 2000 * torch.randn(8, 8, 8, generator=randomness), w_plus),
        {CHANGED: LowRank(0.1 * u, v)},
    ).stored()
    told = {"generator": "small", "fingerprint": generator.fingerprint, "details": {}}
    return make_code(w_plus=w_plus, refinement=refinement, **told)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def edit(studio: Studio, file: Path, strength: float, out: Path) -> tuple[Path, Path]:
    """Picture and code of an edit."""
    assert edit_files([file], {studio.direction: strength}, out, subjects=studio.subjects, listener=studio.listener)
    (picture,) = out.glob("*.png")
    return picture, picture.with_suffix(".npz")


def test_strength_0_gives_the_reconstruction_to_the_bit(studio: Studio, tmp_path: Path) -> None:
    picture, file = edit(studio, studio.files[0], 0.0, tmp_path / "out")
    assert np.array_equal(pixels(picture), studio.drawn(studio.codes[0]))
    assert not np.array_equal(pixels(picture), to_uint8(studio.generator.synthesis(studio.codes[0].w_plus[None])[0]))
    again, _ = edit(studio, file, 0.0, tmp_path / "again")
    assert np.array_equal(pixels(again), pixels(picture))


def test_an_edit_keeps_the_refinement_in_picture_and_file(studio: Studio, tmp_path: Path) -> None:
    picture, file = edit(studio, studio.files[0], 1.5, tmp_path / "out")
    code = load_code(file)
    assert not torch.equal(code.w_plus, studio.codes[0].w_plus)
    assert np.array_equal(pixels(picture), studio.drawn(studio.codes[0], code.w_plus))
    assert code.refinement is not None
    assert np.array_equal(pixels(picture), studio.drawn(code))


def test_a_photo_stays_where_its_refined_face_does(studio: Studio, photo_with_code: PhotoWithCode) -> None:
    photo, file = photo_with_code
    told = load_code(file)
    anna = studio.codes[0]
    save_code(file, replace(anna, quad=told.quad, original_size=told.original_size, details=told.details))
    out, subjects = file.parent / "out", replace(studio.subjects, photos=photo)
    for strength in (0.0, 2.0):
        assert edit_files([file], {studio.direction: strength}, out / f"{strength}", subjects=subjects)
    (same,), (other,) = ((out / f"{strength}").glob("*.png") for strength in (0.0, 2.0))
    assert np.array_equal(pixels(same), pixels(photo))
    assert not np.array_equal(pixels(other), pixels(photo))


def test_strips_animations_and_tables_show_it(studio: Studio) -> None:
    code, components = studio.codes[0], load_components(studio.subjects.generator, device="cpu")
    editor = Editor(components.renderer())
    plain = subject_of_codes("anna", [replace(code, refinement=None)], components.generator)
    subject = with_refinements(subject_of_codes("anna", [code], components.generator), components)

    def same(w_plus: Tensor, _share: float) -> Tensor:
        return w_plus

    def table(subject: Subject) -> Tensor:
        made = MixingTable(editor, [subject])
        made.add(subject, subject.w_plus)
        return made.image()

    draws: tuple[Callable[[Subject], Tensor], ...] = (
        lambda subject: strength_strip(editor, subject, same, str),
        lambda subject: next(animate_edit(editor, subject, same)),
        table,
    )
    for draw in draws:
        assert (draw(subject) - draw(plain)).abs().max() > 0.1


def test_python_edits_it_alike(studio: Studio, tmp_path: Path) -> None:
    picture, _ = edit(studio, studio.files[0], 1.0, tmp_path / "out")
    model = latentloop.load(str(tmp_path / "small.safetensors"), device="cpu")
    for face in (studio.files[0], studio.codes[0]):
        edited = model.edit(face, {studio.direction: 1.0})
        assert np.array_equal(np.asarray(edited.face), pixels(picture))
        assert np.array_equal(np.asarray(model.draw(edited.code)), pixels(picture))


def test_python_draws_a_code_with_its_refinement_and_its_styles_without(studio: Studio, tmp_path: Path) -> None:
    model, code = latentloop.load(str(tmp_path / "small.safetensors"), device="cpu"), studio.codes[0]
    assert np.array_equal(np.asarray(model.draw(code)), studio.drawn(code))
    plain = np.asarray(model.draw(code.w_plus))
    assert np.array_equal(plain, to_uint8(studio.generator.synthesis(code.w_plus[None])[0]))
    assert np.array_equal(np.asarray(model.draw(replace(code, refinement=None))), plain)
    with pytest.raises(UserError, match=r"^code: made for small"):
        model.draw(replace(code, fingerprint="another's"))


def test_a_mixture_stays_the_face_that_styles_come_into(studio: Studio, tmp_path: Path) -> None:
    out, (anna, ben) = tmp_path / "out", studio.files
    mix_files([anna], [ben], out, options=MixOptions(layers="4-5"), subjects=studio.subjects, listener=studio.listener)
    code = load_code(out / "anna+ben.npz")
    assert np.array_equal(pixels(out / "anna+ben.png"), studio.drawn(studio.codes[0], code.w_plus))


def test_a_morph_goes_from_one_refinement_to_the_other(studio: Studio, tmp_path: Path) -> None:
    options = MorphOptions(frames=2, size=32)
    morph_files(studio.files, tmp_path / "frames", options=options, subjects=studio.subjects, listener=studio.listener)
    first, middle, last = (pixels(path).astype(int) for path in sorted((tmp_path / "frames").glob("*.png")))
    anna, ben = studio.codes
    assert np.array_equal(first, studio.drawn(anna))
    assert np.array_equal(last, studio.drawn(ben))
    network = cast("MobileStyleGAN", load_generator(tmp_path / "small.safetensors"))
    for code in (anna, ben):
        (delta,) = cast("Refinement", code.refinement).deltas.values()
        network.get_parameter(CHANGED).add_(0.5 * (delta.u @ delta.v.T).view(8, 8, 3, 3))
    w_plus = (0.5 * (anna.w_plus + ben.w_plus))[None]
    midway = network.synthesis.begin(w_plus, 8)
    features = midway.features
    for code in (anna, ben):
        residual = cast("Residual", cast("Refinement", code.refinement).residual)
        left = fade(midway.features, network.synthesis.begin(residual.pivot[None], 8).features)
        assert left.max() > 0.01
        features = features + 0.5 * left * residual.features
    expected = network.synthesis.finish(replace(midway, features=features), w_plus)
    assert abs(middle - to_uint8(expected[0]).astype(int)).max() <= 1


def test_a_morph_makes_no_generators_that_it_does_not_draw_with(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentloop.photo_editing.setup.with_refinements", lambda *_: pytest.fail("made"))
    options = MorphOptions(frames=1, size=32)
    morph_files(studio.files, tmp_path / "frames", options=options, subjects=studio.subjects, listener=studio.listener)
    assert len(list((tmp_path / "frames").glob("*.png"))) == 2


def test_refined_faces_are_drawn_as_large_as_is_asked_for(studio: Studio) -> None:
    code = studio.codes[0]
    components = load_components(studio.subjects.generator, device="cpu")
    subject = with_refinements(subject_of_codes("anna", [code], components.generator), components)
    small = DrawnBy(studio.generator, studio.generator.synthesis)
    small.resolution = 16
    (face,) = Editor(small).faces(subject.w_plus, subject.drawn_by)
    (whole,) = Editor(studio.generator).faces(subject.w_plus, subject.drawn_by)
    assert (face.shape, whole.shape) == ((1, 3, 16, 16), (1, 3, 32, 32))


def test_a_morph_of_faces_that_were_refined_in_different_ways_is_refused_before_it_is_drawn(
    studio: Studio, tmp_path: Path
) -> None:
    anna, ben = (cast("Refinement", code.refinement) for code in studio.codes)
    seam, shape = next(iter(seamed(studio.generator).seams.items()))
    elsewhere = replace(cast("Residual", ben.residual), seam=seam, features=torch.ones(shape))
    save_code(studio.files[1], replace(studio.codes[1], refinement=replace(ben, residual=elsewhere)))
    with pytest.raises(UserError, match=r"^morph: faces whose features were refined at different resol"):
        morph_files(studio.files, tmp_path / "frames", subjects=studio.subjects, listener=studio.listener)
    assert not (tmp_path / "frames").exists()
    components = load_components(studio.subjects.generator, device="cpu")
    with pytest.raises(UserError, match=r"^morph: faces that were refined with different generators cannot be mixed"):
        refine_renderer([anna, replace(ben, weights="ab" * 8)], components, "morph")


def test_faces_of_some_styles_of_others_stay_the_first(studio: Studio, tmp_path: Path) -> None:
    options = MorphOptions(frames=1, size=32, layers="4-5")
    morph_files(studio.files, tmp_path / "frames", options=options, subjects=studio.subjects, listener=studio.listener)
    *_, last = sorted((tmp_path / "frames").glob("*.png"))
    w_plus = studio.codes[0].w_plus.clone()
    w_plus[4:] = studio.codes[1].w_plus[4:]
    assert np.array_equal(pixels(last), studio.drawn(studio.codes[0], w_plus))


def test_another_generators_refinement_is_refused_in_one_line_and_the_others_are_edited(
    studio: Studio, tmp_path: Path
) -> None:
    assert studio.codes[0].refinement is not None
    others = replace(studio.codes[0].refinement, weights="ab" * 8)
    save_code(studio.files[0], replace(studio.codes[0], refinement=others))
    complete = edit_files(
        studio.files, {studio.direction: 1.0}, tmp_path / "out", subjects=studio.subjects, listener=studio.listener
    )
    assert not complete
    assert [path.name[:4] for path in (tmp_path / "out").glob("*.png")] == ["ben-"]
    (complaint,) = studio.complaints
    assert complaint.startswith("anna: refined for generator small (weights abab")
    model = latentloop.load(str(tmp_path / "small.safetensors"), device="cpu")
    with pytest.raises(UserError, match="refined for generator small"):
        model.edit(studio.files[0], {studio.direction: 1.0})


def test_another_refinement_makes_another_result(studio: Studio, tmp_path: Path) -> None:
    edit(studio, studio.files[0], 1.0, tmp_path / "out")
    save_code(studio.files[0], replace(studio.codes[0], refinement=studio.codes[1].refinement))
    assert edit_files(
        [studio.files[0]], {studio.direction: 1.0}, tmp_path / "out", subjects=studio.subjects, listener=studio.listener
    )
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
