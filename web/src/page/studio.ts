/** The page as users know it: what is open, and what happens when they do something. */

import { UserError, messageOf } from "../errors";
import { type Site, directionsOf } from "../site";
import type { Drawn, Format, Loaded, Opened, Product, Workshop } from "../worker/protocol";
import { Compare } from "./compare";
import { find, make, show } from "./elements";
import { History, UNEDITED } from "./history";
import { Latest } from "./latest";
import { Sliders, described } from "./sliders";

/** Wires the page to the worker, which answers once its networks are loaded. */
export class Studio {
  private readonly compare = new Compare();
  private readonly sliders: Sliders;
  private readonly drawing = new Latest();
  private readonly said = find("said", HTMLParagraphElement);
  private readonly error = find("error", HTMLParagraphElement);
  private readonly look = find("look", HTMLButtonElement);
  private readonly faces = find("faces", HTMLDivElement);
  private readonly random = find("random", HTMLButtonElement);
  private history = new History();
  private hasPhoto = false;
  private hasFace = false;
  /** What takes a while is done one after the other: this ends with the last, and so many have not ended. */
  private turn: Promise<void> = Promise.resolve();
  private pending = 0;
  private focused: Element | null = null;

  /** @param loaded Ends when the networks are loaded; if they cannot be, everything fails with its error. */
  constructor(
    private readonly worker: Workshop,
    site: Site,
    private readonly loaded: Promise<Loaded>,
  ) {
    const events = { moved: () => this.moved(), rested: () => this.rested() };
    const places = [find("sliders", HTMLDivElement), find("keep", HTMLDivElement)] as const;
    this.sliders = new Sliders(...places, directionsOf(site), events);
    this.listen();
  }

  /** Offer what the networks can do, now that they are loaded. */
  offer({ canDrawRandomFaces }: Loaded): void {
    this.random.hidden = !canDrawRandomFaces;
  }

  /** Open a photo, and find the code of its largest face. */
  open(file: Blob, name: string): void {
    this.work(`${name}: looking for faces ...`, async () => {
      const begun = performance.now();
      const opened = await this.worker.open(file, name);
      [this.hasPhoto, this.hasFace] = [true, false];
      this.showFaces(opened);
      this.compare.begin(opened.picture);
      this.begin(await this.worker.choose(0));
      this.say(`A first look, in ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
    });
  }

  /** Show an error: a sentence of ours as it is, anything else as what it is. */
  fail(error: unknown): void {
    this.error.textContent = error instanceof UserError ? error.message : `This did not work: ${messageOf(error)}`;
    this.error.hidden = false;
    this.say("");
  }

  private listen(): void {
    this.random.addEventListener("click", () => this.drawRandom());
    this.look.addEventListener("click", () => this.lookAgain());
    find("undo", HTMLButtonElement).addEventListener("click", () => this.goTo(this.history.undo()));
    find("redo", HTMLButtonElement).addEventListener("click", () => this.goTo(this.history.redo()));
    find("reset", HTMLButtonElement).addEventListener("click", () => this.reset());
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-product]")) {
      button.addEventListener("click", () => this.download(button.dataset["product"] as Product));
    }
  }

  private drawRandom(): void {
    this.work("Drawing a random face ...", async () => {
      const drawn = await this.worker.random();
      this.hasPhoto = false;
      this.faces.hidden = true;
      this.compare.begin(await createImageBitmap(drawn.picture));
      this.begin(drawn);
      this.say("A random face.");
    });
  }

  private showFaces({ faces }: Opened): void {
    const tiles = faces.map((picture, i) => {
      const canvas = make("canvas");
      show(canvas, picture, `face ${i + 1}`);
      const tile = make("button", { ariaLabel: `Face ${i + 1}`, ariaPressed: String(i === 0) }, canvas);
      tile.addEventListener("click", () => this.choose(i));
      return tile;
    });
    this.faces.replaceChildren(...tiles);
    this.faces.hidden = tiles.length < 2;
  }

  private choose(number: number): void {
    this.work(`Looking at face ${number + 1} ...`, async () => {
      this.begin(await this.worker.choose(number));
      [...this.faces.children].forEach((tile, i) => tile.setAttribute("aria-pressed", String(i === number)));
      this.say(`Face ${number + 1}.`);
      this.drawWhole();
    });
  }

  private lookAgain(): void {
    const again = this.look.ariaPressed !== "true";
    this.work(again ? "Looking a second time ..." : "Going back to the first look ...", async () => {
      const drawn = await this.worker.look(again, this.sliders.edit);
      this.look.ariaPressed = String(again);
      this.say(again ? `A second look, in ${drawn.seconds.toFixed(1)} s.` : "The first look.");
      this.drawing.clear();
      this.showFace(drawn);
      this.drawWhole();
    });
  }

  /** Go on to a face that was not edited yet. */
  private begin(drawn: Drawn): void {
    this.drawing.clear();
    this.history = new History();
    this.sliders.edit = UNEDITED;
    this.hasFace = true;
    this.look.ariaPressed = "false";
    find("face-empty", HTMLParagraphElement).hidden = true;
    this.showFace(drawn);
  }

  private moved(): void {
    this.error.hidden = true;
    this.draw();
  }

  private rested(): void {
    this.history.push(this.sliders.edit);
    this.follow();
  }

  private reset(): void {
    this.history.push(UNEDITED);
    this.goTo(this.history.state);
  }

  private goTo(edit: typeof UNEDITED): void {
    this.sliders.edit = edit;
    this.follow();
  }

  /** Draw a new state of the edit. */
  private follow(): void {
    this.error.hidden = true;
    this.allow();
    this.draw();
    this.drawWhole();
  }

  /** Draw the face as the sliders say, unless they move on meanwhile. */
  private draw(): void {
    this.drawing.ask(() => this.attempt(async () => this.showFace(await this.worker.draw(this.sliders.edit))));
  }

  /** Draw the whole photo after the face, unless the sliders move on meanwhile. */
  private drawWhole(): void {
    const edit = this.sliders.edit;
    this.drawing.then(() =>
      this.attempt(async () => this.compare.change((await this.worker.whole(edit)).picture, described(edit))),
    );
  }

  private showFace({ picture, seconds }: Drawn): void {
    const face = find("face", HTMLCanvasElement);
    show(face, picture, `the face: ${described(this.sliders.edit)}`);
    face.dataset["seconds"] = seconds.toFixed(3);
  }

  /** Let users do what can be done now: with a face, and while nothing takes a while. */
  private allow(): void {
    const [free, hasFace] = [!this.pending, !this.pending && this.hasFace];
    this.sliders.enabled = hasFace;
    this.random.disabled = !free;
    this.look.disabled = !(hasFace && this.hasPhoto);
    find("undo", HTMLButtonElement).disabled = !(hasFace && this.history.canUndo);
    find("redo", HTMLButtonElement).disabled = !(hasFace && this.history.canRedo);
    find("reset", HTMLButtonElement).disabled = !hasFace || this.history.state === UNEDITED;
    find("downloads", HTMLFieldSetElement).disabled = !hasFace;
    for (const tile of this.faces.querySelectorAll("button")) tile.disabled = !free;
  }

  private download(product: Product): void {
    const format = find("format", HTMLSelectElement).value as Format;
    this.work("Making the file ...", async () => {
      const { name, content } = await this.worker.make(product, this.sliders.edit, format);
      const link = make("a", { href: URL.createObjectURL(content), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      this.say(`${name} is in your downloads.`);
    });
  }

  private say(text: string): void {
    this.said.textContent = text;
  }

  /** Do something that takes a while, after what was begun before, and say so; until then nothing can be edited. */
  private work(text: string, task: () => Promise<void>): void {
    if (!this.pending++) this.focused = document.activeElement;
    this.allow();
    document.body.setAttribute("aria-busy", "true");
    this.turn = this.turn.then(() => this.workNow(text, task));
  }

  private async workNow(text: string, task: () => Promise<void>): Promise<void> {
    this.say(text);
    this.error.hidden = true;
    this.drawing.hold(); // an edit of this face must not be asked for, or shown, when another face has come
    await this.attempt(async () => {
      await this.loaded;
      await task();
    });
    this.pending -= 1;
    this.allow();
    this.drawing.release();
    if (this.pending) return;
    document.body.removeAttribute("aria-busy");
    // Browsers take the focus from what is disabled; the keyboard goes on where it was.
    if (document.activeElement === document.body && this.focused instanceof HTMLElement) this.focused.focus();
  }

  private async attempt(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.fail(error);
    }
  }
}
