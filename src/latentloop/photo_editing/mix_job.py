"""Style mixing job of `latentloop mix`: pictures into a folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from latentloop.editing import mix, parse_layers
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.job_options import MixOptions
from latentloop.photo_editing.mixing_table import MixingTable
from latentloop.photo_editing.refined_subjects import with_refinements
from latentloop.photo_editing.rendered_edit import render_edit
from latentloop.photo_editing.setup import SubjectFinder
from latentloop.photo_editing.signatures import checksum_of
from latentloop.photo_editing.subjects import Subject
from latentloop.stamps import stamp_of

TABLE = "mix"
"""Name of the table of all mixtures."""


def mix_pictures(
    arguments: Sequence[str],
    styles: Sequence[str],
    options: MixOptions,
    finder: SubjectFinder,
    editor: Editor,
    folder: EditFolder,
) -> bool:
    """Draw each picture with the styles of each other one, and a table of all; returns whether all succeeded.

    Args:
        arguments: Faces that are drawn, as `expand_arguments` returns them.
        styles: Faces that provide the styles, likewise; the first face of each picture is used.
        options: Settings of style mixing.
        finder: Finder of the faces.
        editor: Editor that draws them.
        folder: Folder for the results.

    Raises:
        UserError: The layers are invalid, or a picture of `styles` cannot be used.
    """
    generator = finder.components.generator
    layers = parse_layers(options.layers, generator.num_ws)
    folder.check_table(TABLE)
    others = [with_refinements(other, finder.components) for other in finder.all_subjects(styles)]
    table, weights = MixingTable(editor, others), finder.components.checksum_of(editor.renderer)

    def results(subject: Subject) -> Iterator[Path]:
        for other in others:
            w_plus = mix(subject.w_plus, other.w_plus[:1], layers, strength=options.strength)
            stamp = stamp_of(options, style=checksum_of(other.w_plus[:1]), weights=weights)
            claim = folder.claim(f"{subject.name}+{other.name}", subject, editor, stamp)
            details = {"mix": other.name, "layers": options.layers, "strength": options.strength}
            mixture = render_edit(editor, subject, w_plus, generator, details)
            yield folder.save(claim, subject, mixture)
            table.add(subject, w_plus)

    complete = finder.for_each(arguments, results)
    if table.rows:
        claim = folder.claim_table(TABLE, {**table.stamp, "weights": weights})
        finder.listener.result(folder.save_strip(claim, table.image()))
    return complete
