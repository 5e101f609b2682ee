/** The worker's entry: answers the page's questions one after the other. */

import { UserError, messageOf } from "../errors";
import { Desk } from "./desk";
import type { Answer, Question } from "./protocol";

const desk = new Desk((arrived, total) => tell({ arrived, total }));
let turn: Promise<void> = Promise.resolve();

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  turn = turn.then(() => answer(data));
});

async function answer({ id, method, values }: Question): Promise<void> {
  try {
    const work = desk[method] as (...values: readonly unknown[]) => Promise<unknown>;
    const result = await work.apply(desk, [...values]);
    tell({ id, result }, bitmapsIn(result));
  } catch (error) {
    if (!(error instanceof UserError)) console.error(error);
    tell({ id, error: messageOf(error), known: error instanceof UserError });
  }
}

function tell(answer: Answer, transfer: Transferable[] = []): void {
  (self as unknown as DedicatedWorkerGlobalScope).postMessage(answer, transfer);
}

/** Pictures in an answer, which move to the page without a copy. */
function bitmapsIn(result: unknown): ImageBitmap[] {
  const values = result && typeof result === "object" ? Object.values(result).flat() : [];
  return values.filter((value): value is ImageBitmap => value instanceof ImageBitmap);
}
