/** Sliders of the directions, in groups, and boxes of what they should leave as it is. */

import type { Direction, Edit } from "../codes/directions";
import { make } from "./elements";

/** Groups of the bundled directions, as in the studio; others come last. */
const GROUPS: readonly (readonly [string, readonly string[]])[] = [
  ["Expression", ["smile", "surprise", "anger", "sadness", "eyes_open"]],
  ["Pose", ["yaw", "pitch"]],
  ["Age and looks", ["age", "gender", "glasses", "face_width", "face_height"]],
];
const OTHERS = "More";
/** Largest strength of a slider, beyond which faces fall apart, and the step between two. */
const [FARTHEST, STEP] = [3, 0.1];

/** What users do with the sliders. */
export interface SliderEvents {
  /** A slider moves. */
  moved(): void;
  /** A slider rests, or a box was changed. */
  rested(): void;
}

/** The sliders of a page. */
export class Sliders {
  private readonly inputs = new Map<string, HTMLInputElement>();
  private readonly numbers = new Map<string, HTMLOutputElement>();
  private readonly boxes = new Map<string, HTMLInputElement>();

  constructor(place: HTMLElement, keepPlace: HTMLElement, directions: readonly Direction[], events: SliderEvents) {
    for (const [title, members] of grouped(directions)) {
      const sliders = members.map((direction) => this.slider(direction, events));
      place.append(make("fieldset", {}, make("legend", {}, title), ...sliders));
      keepPlace.append(...members.map((direction) => this.box(direction, events)));
    }
  }

  /** What the sliders and boxes say; an attribute that is moved is not kept. */
  get edit(): Edit {
    const moved = [...this.inputs].filter(([, input]) => Number(input.value));
    const strengths = Object.fromEntries(moved.map(([name, input]) => [name, Number(input.value)]));
    const kept = [...this.boxes].filter(([name, box]) => box.checked && !(name in strengths));
    return { strengths, keep: kept.map(([name]) => name) };
  }

  set edit({ strengths, keep }: Edit) {
    for (const [name, input] of this.inputs) this.write(name, input, strengths[name] ?? 0);
    for (const [name, box] of this.boxes) box.checked = keep.includes(name);
  }

  set enabled(enabled: boolean) {
    for (const input of [...this.inputs.values(), ...this.boxes.values()]) input.disabled = !enabled;
  }

  private slider({ name, positive }: Direction, events: SliderEvents): HTMLElement {
    const id = `slider-${name}`;
    const range = { type: "range", min: `${-FARTHEST}`, max: `${FARTHEST}`, step: `${STEP}`, value: "0" };
    const input = make("input", { id, disabled: true, ...range });
    const number = make("output", { value: "0" });
    number.htmlFor.add(id);
    input.addEventListener("input", () => {
      this.write(name, input, Number(input.value));
      events.moved();
    });
    input.addEventListener("change", () => events.rested());
    input.addEventListener("dblclick", () => {
      this.write(name, input, 0);
      events.rested();
    });
    this.inputs.set(name, input);
    this.numbers.set(name, number);
    const label = make("label", { htmlFor: id }, plain(name));
    const effect = make("span", { className: "effect" }, positive);
    return make("div", { className: "slider" }, label, effect, number, input);
  }

  private box({ name }: Direction, events: SliderEvents): HTMLElement {
    const box = make("input", { type: "checkbox", id: `keep-${name}`, disabled: true });
    box.addEventListener("change", () => events.rested());
    this.boxes.set(name, box);
    return make("label", {}, box, plain(name));
  }

  private write(name: string, input: HTMLInputElement, value: number): void {
    input.value = String(value);
    input.style.setProperty("--at", `${(50 * (value + FARTHEST)) / FARTHEST}%`);
    const number = this.numbers.get(name);
    if (number) number.value = signed(value);
  }
}

/** Say what an edit does, such as "smile +1, age -0.5". */
export function described({ strengths }: Edit): string {
  const parts = Object.entries(strengths).map(([name, strength]) => `${plain(name)} ${signed(strength)}`);
  return parts.join(", ") || "not edited";
}

function grouped(directions: readonly Direction[]): (readonly [string, Direction[]])[] {
  const known = GROUPS.flatMap(([, names]) => names);
  const others = directions.filter(({ name }) => !known.includes(name)).map(({ name }) => name);
  return [...GROUPS, [OTHERS, others] as const]
    .map(([title, names]) => [title, names.flatMap((name) => directions.filter((one) => one.name === name))] as const)
    .filter(([, members]) => members.length);
}

function plain(name: string): string {
  return name.replaceAll("_", " ");
}

function signed(value: number): string {
  const rounded = Math.round(value * 10) / 10;
  return rounded > 0 ? `+${rounded}` : String(rounded);
}
