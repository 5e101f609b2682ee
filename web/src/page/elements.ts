/** Elements of the page, found by their ids and made. */

type Kind<T extends Element> = new () => T;

/** Find an element that `index.html` has. */
export function find<T extends HTMLElement>(id: string, kind: Kind<T>): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new TypeError(`index.html has no ${kind.name} #${id}`);
  return element;
}

/** Make an element with properties and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Show a picture on a canvas, which takes its size, and say what it shows. */
export function show(canvas: HTMLCanvasElement, picture: ImageBitmap, label: string): void {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  canvas.setAttribute("aria-label", label);
  picture.close();
}
