from latentloop.studio.history import EditState, History

SMILE, OLD = EditState({"smile": 1.0}), EditState({"smile": 1.0, "age": 2.0}, ("gender",))


def test_undo_and_redo_go_back_and_on() -> None:
    history = History()
    assert (history.state, history.can_undo, history.can_redo) == (EditState(), False, False)
    history.push(SMILE)
    history.push(SMILE)  # no state of its own
    history.push(OLD)
    assert (history.undo(), history.can_redo) == (SMILE, True)
    assert history.undo() == EditState()
    assert history.undo() == EditState()
    assert not history.can_undo
    assert [history.redo(), history.redo(), history.redo()] == [SMILE, OLD, OLD]


def test_a_new_edit_forgets_what_was_undone() -> None:
    history = History()
    history.push(SMILE)
    history.undo()
    history.push(OLD)
    assert not history.can_redo
    assert history.undo() == EditState()
