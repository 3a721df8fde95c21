/** The phases of an answer, from its request upstream to its last byte at the client. */
export enum RelayPhase {
  /** The request is sent; no head yet. */
  AwaitingHead,
  /** The client gets an answer of ours instead, for which upstream's body is read. */
  Refusing,
  /** Chunks go to the client as they come, or wait until it asks. */
  Relaying,
  /** Upstream is done; the client has not taken the last bytes. */
  Finishing,
  /** The client has left; upstream is read on for the usage. */
  Draining,
  /** Settled, or refused. */
  Over,
}

const bits = (...phases: RelayPhase[]) => phases.reduce((all, phase) => all | (1 << phase), 0);
/** The transitions: by phase, the phases that may follow. */
const NEXT: Readonly<Record<RelayPhase, number>> = {
  [RelayPhase.AwaitingHead]: bits(RelayPhase.Relaying, RelayPhase.Refusing, RelayPhase.Draining, RelayPhase.Over),
  [RelayPhase.Refusing]: bits(RelayPhase.Over),
  [RelayPhase.Relaying]: bits(RelayPhase.Finishing, RelayPhase.Draining, RelayPhase.Over),
  [RelayPhase.Finishing]: bits(RelayPhase.Over),
  [RelayPhase.Draining]: bits(RelayPhase.Over),
  [RelayPhase.Over]: 0,
};

export function mayFollow(before: RelayPhase, phase: RelayPhase): boolean {
  return ((NEXT[before] >> phase) & 1) === 1;
}

/** How the client's body ends. */
export enum BodyEnding {
  InOrder,
  ErrorEvent,
  Reset,
}
