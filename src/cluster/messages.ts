/** What a supervisor and its workers say to each other over Bun's IPC, as JSON. */

/** What any worker may want to know of all of them. */
export type Question = 'targets' | 'metrics' | 'live';

export type FromWorker =
  /** It listens. */
  | { readonly kind: 'ready'; readonly url: string }
  /** It does not accept connections any more; what is in flight goes on. */
  | { readonly kind: 'retired' }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'drain' }
  /** Somebody looks at /admin/live of this worker, or nobody does any more. */
  | { readonly kind: 'watch'; readonly isWatched: boolean }
  /** Records for those who look at another worker, as they are sent to them. */
  | { readonly kind: 'records'; readonly text: string; readonly count: number };

export type ToWorker =
  | { readonly kind: 'question'; readonly id: number; readonly question: Question }
  | { readonly kind: 'answers'; readonly id: number; readonly answers: readonly unknown[] }
  | { readonly kind: 'drain' }
  | { readonly kind: 'retire' }
  | { readonly kind: 'watched'; readonly isWatched: boolean }
  | { readonly kind: 'records'; readonly text: string; readonly count: number };
