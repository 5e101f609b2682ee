/** Edits of a face as a person makes them, with undo and redo. */

import type { Edit } from "../codes/directions";

export const UNEDITED: Edit = { strengths: {}, keep: [] };

/** The states of an edit, in order, and the one that is shown. */
export class History {
  private states: Edit[] = [UNEDITED];
  private at = 0;

  get state(): Edit {
    return this.states[this.at];
  }

  get canUndo(): boolean {
    return this.at > 0;
  }

  get canRedo(): boolean {
    return this.at + 1 < this.states.length;
  }

  /** Go on to a new state; what was undone is forgotten. The state that is shown already is not repeated. */
  push(state: Edit): void {
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.states = [...this.states.slice(0, this.at + 1), state];
    this.at += 1;
  }

  undo(): Edit {
    this.at = Math.max(this.at - 1, 0);
    return this.state;
  }

  redo(): Edit {
    this.at = Math.min(this.at + 1, this.states.length - 1);
    return this.state;
  }
}
