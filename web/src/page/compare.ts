/** The whole photo, before and after, with a border between the two that can be moved. */

import { find, show } from "./elements";

/** Shows two pictures of one size, one on the other. */
export class Compare {
  private readonly frame = find("compare", HTMLDivElement);
  private readonly before = find("before", HTMLCanvasElement);
  private readonly after = find("after", HTMLCanvasElement);
  private readonly split = find("split", HTMLInputElement);

  constructor() {
    this.split.addEventListener("input", () => this.place());
    this.place();
  }

  /** Show a photo that is not edited yet. */
  begin(picture: ImageBitmap): void {
    show(this.before, picture, "the photo before the edit");
    this.after.width = this.before.width;
    this.after.height = this.before.height;
    this.after.getContext("2d")?.drawImage(this.before, 0, 0);
    this.after.setAttribute("aria-label", "the photo: not edited");
    this.frame.classList.remove("empty");
    for (const hidden of this.frame.querySelectorAll<HTMLElement>("[hidden]")) hidden.hidden = false;
  }

  /** Show the photo after an edit. */
  change(picture: ImageBitmap, description: string): void {
    show(this.after, picture, `the photo: ${description}`);
  }

  private place(): void {
    this.frame.style.setProperty("--split", `${this.split.value}%`);
    this.split.setAttribute("aria-valuetext", `${this.split.value} of 100 show the photo before the edit`);
  }
}
