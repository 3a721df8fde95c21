export interface StopSignals {
  /** The name of the first SIGTERM or SIGINT from now on, and of the second. */
  readonly first: Promise<string>;
  readonly second: Promise<string>;
}

/** Further signals are ignored: what the second one asked for is under way. */
export function stopSignals(): StopSignals {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  let count = 0;
  const onSignal = (signal: NodeJS.Signals) => (++count === 1 ? first : second).resolve(signal);
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { first: first.promise, second: second.promise };
}

/** Resolves with the name of the next SIGTERM or SIGINT; one after that ends the process. */
export function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    const onSignal = (signal: NodeJS.Signals) => {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
