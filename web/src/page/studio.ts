/** The page as users know it: what is open, and what happens when they do something. */

import { UserError, messageOf } from "../errors";
import { type Site, directionsOf } from "../site";
import type { Drawn, Format, Loaded, Opened, Product, Workshop } from "../worker/protocol";
import { Compare } from "./compare";
import { find, make, show } from "./elements";
import { History, UNEDITED } from "./history";
import { Latest } from "./latest";
import { Sliders, described } from "./sliders";

/** Wires the page to the worker. */
export class Studio {
  private readonly compare = new Compare();
  private readonly sliders: Sliders;
  private readonly drawing = new Latest();
  private readonly said = find("said", HTMLParagraphElement);
  private readonly error = find("error", HTMLParagraphElement);
  private readonly look = find("look", HTMLButtonElement);
  private readonly faces = find("faces", HTMLDivElement);
  private history = new History();
  private hasPhoto = false;

  constructor(
    private readonly worker: Workshop,
    site: Site,
    loaded: Loaded,
  ) {
    const events = { moved: () => this.draw(), rested: () => this.rested() };
    const places = [find("sliders", HTMLDivElement), find("keep", HTMLDivElement)] as const;
    this.sliders = new Sliders(...places, directionsOf(site), events);
    this.listen(loaded);
  }

  /** Open a photo, and find the code of its largest face. */
  open(file: Blob, name: string): void {
    void this.work(`${name}: looking for faces ...`, async () => {
      const begun = performance.now();
      const opened = await this.worker.open(file, name);
      this.hasPhoto = true;
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

  private listen(loaded: Loaded): void {
    const random = find("random", HTMLButtonElement);
    random.hidden = !loaded.canDrawRandomFaces;
    random.addEventListener("click", () => this.random());
    this.look.addEventListener("click", () => this.lookAgain());
    find("undo", HTMLButtonElement).addEventListener("click", () => this.goTo(this.history.undo()));
    find("redo", HTMLButtonElement).addEventListener("click", () => this.goTo(this.history.redo()));
    find("reset", HTMLButtonElement).addEventListener("click", () => this.reset());
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-product]")) {
      button.addEventListener("click", () => this.download(button.dataset["product"] as Product));
    }
  }

  private random(): void {
    void this.work("Drawing a random face ...", async () => {
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
    void this.work(`Looking at face ${number + 1} ...`, async () => {
      this.begin(await this.worker.choose(number));
      [...this.faces.children].forEach((tile, i) => tile.setAttribute("aria-pressed", String(i === number)));
      this.say(`Face ${number + 1}.`);
      this.drawWhole();
    });
  }

  private lookAgain(): void {
    const again = this.look.ariaPressed !== "true";
    void this.work(again ? "Looking a second time ..." : "Going back to the first look ...", async () => {
      const { seconds } = await this.worker.look(again);
      this.look.ariaPressed = String(again);
      this.say(again ? `A second look, in ${seconds.toFixed(1)} s.` : "The first look.");
      this.draw();
      this.drawWhole();
    });
  }

  /** Go on to a face that was not edited yet. */
  private begin(drawn: Drawn): void {
    this.drawing.clear();
    this.history = new History();
    this.sliders.edit = UNEDITED;
    this.sliders.enabled = true;
    this.look.disabled = !this.hasPhoto;
    this.look.ariaPressed = "false";
    find("downloads", HTMLFieldSetElement).disabled = false;
    find("face-empty", HTMLParagraphElement).hidden = true;
    this.showFace(drawn);
    this.showSteps();
  }

  private rested(): void {
    this.history.push(this.sliders.edit);
    this.showSteps();
    this.draw();
    this.drawWhole();
  }

  private reset(): void {
    this.history.push(UNEDITED);
    this.goTo(this.history.state);
  }

  private goTo(edit: typeof UNEDITED): void {
    this.sliders.edit = edit;
    this.showSteps();
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

  private showSteps(): void {
    find("undo", HTMLButtonElement).disabled = !this.history.canUndo;
    find("redo", HTMLButtonElement).disabled = !this.history.canRedo;
    find("reset", HTMLButtonElement).disabled = this.history.state === UNEDITED;
  }

  private download(product: Product): void {
    const format = find("format", HTMLSelectElement).value as Format;
    void this.work("Making the file ...", async () => {
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

  /** Do something that takes a while, and say so. */
  private async work(text: string, task: () => Promise<void>): Promise<void> {
    this.say(text);
    document.body.setAttribute("aria-busy", "true");
    await this.attempt(task);
    document.body.removeAttribute("aria-busy");
  }

  private async attempt(task: () => Promise<void>): Promise<void> {
    try {
      await task();
      this.error.hidden = true;
    } catch (error) {
      this.fail(error);
    }
  }
}
