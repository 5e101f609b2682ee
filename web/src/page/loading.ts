/** How much of the networks has arrived. */

import { find } from "./elements";

/** The bar above the page, which goes once the networks are there. */
export class Loading {
  private readonly section = find("loading", HTMLElement);
  private readonly said = find("loading-said", HTMLParagraphElement);
  private readonly bar = find("loading-bar", HTMLProgressElement);
  private over = false;

  /** Show how many bytes have arrived. */
  arrived(bytes: number, total: number): void {
    if (this.over) return; // files go on arriving after one of them has failed
    const [now, all] = [bytes, total].map((count) => (count / 1e6).toFixed(1));
    const done = bytes >= total;
    this.said.textContent = done ? `Preparing the networks (${all} MB) ...` : `Loading the networks: ${now} of ${all} MB`;
    if (done) this.bar.removeAttribute("value");
    else this.bar.value = bytes / total;
  }

  /** The networks are ready. */
  done(): void {
    this.section.hidden = true;
  }

  /** Nothing will come. */
  failed(sentence: string): void {
    this.over = true;
    this.said.textContent = sentence;
    this.section.classList.add("error");
    this.bar.hidden = true;
  }
}
