/** The page's side of the worker: its methods as functions that give promises. */

import { UserError } from "../errors";
import type { Answer, Method, Question, Workshop } from "../worker/protocol";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Start the worker. */
export function startWorker(onBytes: (arrived: number, total: number) => void): Workshop {
  const worker = new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" });
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let broken: Error | null = null;
  worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
    if ("arrived" in data) return onBytes(data.arrived, data.total);
    const asked = waiting.get(data.id);
    waiting.delete(data.id);
    if ("error" in data) asked?.reject(data.known ? new UserError(data.error) : new Error(data.error));
    else asked?.resolve(data.result);
  });
  worker.addEventListener("error", (event) => {
    broken = new Error(event.message || "the worker could not start");
    for (const asked of waiting.values()) asked.reject(broken);
    waiting.clear();
  });
  const ask = (method: Method, values: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (broken) return reject(broken);
      waiting.set(++last, { resolve, reject });
      const question: Question = { id: last, method, values };
      worker.postMessage(question);
    });
  return new Proxy({} as Workshop, {
    get: (_, method) => (...values: readonly unknown[]) => ask(method as Method, values),
  });
}
