"""Expression transfer job of `latentloop transfer`: pictures into a folder."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from latentloop.editing import parse_layers, transfer
from latentloop.errors import UserError
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.editor import Editor, strength_strip
from latentloop.photo_editing.job_options import TransferOptions
from latentloop.photo_editing.rendered_edit import render_edit
from latentloop.photo_editing.setup import SubjectFinder
from latentloop.photo_editing.signatures import checksum_of
from latentloop.photo_editing.subjects import Subject, canonical
from latentloop.stamps import stamp_of

PAIR = ("neutral", "expressive")
"""Names of the two pictures of the other person."""


def transfer_expression(
    arguments: Sequence[str],
    pair: tuple[str, str],
    options: TransferOptions,
    finder: SubjectFinder,
    editor: Editor,
    folder: EditFolder,
) -> bool:
    """Give faces the difference in expression between two pictures of another person; returns whether all succeeded.

    Args:
        arguments: Faces that get the expression, as `expand_arguments` returns them.
        pair: The other person without and with the expression: photos or codes.
        options: Settings of the transfer.
        finder: Finder of the faces.
        editor: Editor that draws them.
        folder: Folder for the results.

    Raises:
        UserError: The layers are invalid, or the pair cannot be used.
    """
    generator = finder.components.generator
    layers = parse_layers(options.layers, generator.num_ws)
    neutral, expressive = _codes_of_pair(pair, options, finder)
    details = {"transfer": list(pair), "layers": options.layers, "strength": options.strength}
    codes = {"neutral": checksum_of(neutral), "expressive": checksum_of(expressive)}
    stamp = stamp_of(options, **codes, weights=finder.components.checksum_of(editor.renderer))

    def change(w_plus: Tensor, share: float) -> Tensor:
        return transfer(w_plus, neutral, expressive, layers, strength=share * options.strength)

    def results(subject: Subject) -> Iterator[Path]:
        claim = folder.claim(subject.name, subject, editor, stamp)
        edit = render_edit(editor, subject, change(subject.w_plus, 1.0), generator, details)
        yield folder.save(claim, subject, edit)
        yield folder.save_strip(claim, strength_strip(editor, subject, change, "{:+.2g}".format))

    return finder.for_each(arguments, results)


def _codes_of_pair(pair: tuple[str, str], options: TransferOptions, finder: SubjectFinder) -> tuple[Tensor, Tensor]:
    """Return the codes of the neutral and the expressive face, (1, num_ws, w_dim) each."""
    if canonical(pair[0]) == canonical(pair[1]):
        raise UserError("the neutral and the expressive picture are the same", arguments=PAIR)
    subjects = finder.options
    search, faces = replace(subjects.search, steps=options.pair_steps), replace(subjects.faces, face="largest")
    of_pair = replace(finder, options=replace(subjects, search=search, faces=faces))
    codes = [one.w_plus for one in of_pair.all_subjects(pair)]
    if [len(w_plus) for w_plus in codes] != [1, 1]:
        raise UserError("the neutral and the expressive picture must have one face each", arguments=PAIR)
    return codes[0], codes[1]
