/** Waits for a condition that another process makes true. Fails after a time that no healthy machine needs. */
const GIVE_UP_MS = 20_000;
const POLL_MS = 10;

/** Resolves with the first result that is not undefined, null or false. */
export async function eventually<T>(
  probe: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  complaint: () => string = () => 'the condition never came true',
): Promise<T> {
  const until = performance.now() + GIVE_UP_MS;
  for (;;) {
    const result = await probe();
    if (result !== undefined && result !== null && result !== false) return result;
    if (performance.now() > until) throw new Error(complaint());
    await Bun.sleep(POLL_MS);
  }
}
