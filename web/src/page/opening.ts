/** Ways to give the page a photo: dropped, pasted, chosen, or one of the examples. */

import { UserError } from "../errors";
import { find, make } from "./elements";

type OnFile = (file: Blob, name: string) => void;

const EXAMPLES = ["female-1.jpg", "female-76.jpg", "male-81.jpg"];

/** Listen for photos. */
export function listenForPhotos(onFile: OnFile, onError: (error: unknown) => void): void {
  const [chooser, frame] = [find("file", HTMLInputElement), find("compare", HTMLDivElement)];
  const take = (files: FileList | undefined): void => {
    const file = files?.[0];
    if (file) onFile(file, file.name);
  };
  chooser.addEventListener("change", () => {
    take(chooser.files ?? undefined);
    chooser.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    frame.classList.add("dragged");
  });
  document.addEventListener("dragleave", () => frame.classList.remove("dragged"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    frame.classList.remove("dragged");
    take(event.dataTransfer?.files);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData?.files));
  find("examples", HTMLDivElement).append(...EXAMPLES.map((name) => example(name, onFile, onError)));
}

function example(name: string, onFile: OnFile, onError: (error: unknown) => void): HTMLElement {
  const picture = make("img", { src: `examples/${name}`, alt: `Example ${name}`, loading: "lazy" });
  const button = make("button", { className: "example" }, picture);
  button.addEventListener("click", () => {
    fetched(`examples/${name}`).then((file) => onFile(file, name), onError);
  });
  return button;
}

async function fetched(path: string): Promise<Blob> {
  const response = await fetch(path, { cache: "no-cache" }).catch(() => null);
  if (!response?.ok) throw new UserError(`${path} did not arrive; is the connection there?`);
  return response.blob();
}
