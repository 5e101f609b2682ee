/** An error whose message is a sentence for the person at the page. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** Give the message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
