/**
 * Handles clients that take all file descriptors. By default Bun then retries accept() in a busy loop that takes a whole
 * core, and connections to upstream get no descriptor. The guard reserves descriptors for upstream. When no others are left, it
 * closes idle connections and accepts only as many new ones as there are descriptors; the rest wait in the kernel.
 */
import { ptr } from 'bun:ffi';
import { IPPROTO_TCP, libc, TCP_INFO } from '../libc.ts';
import type { SpareDescriptors } from '../spare-descriptors.ts';
import type { ListeningSocket } from './listening-socket.ts';

interface AcceptGuardOptions {
  readonly listening: ListeningSocket;
  readonly spare: SpareDescriptors;
  /** How many requests may be in flight; each may need a connection to upstream. */
  readonly requestsMax: number;
  /** Closes client connections that wait for their next request. */
  closeIdle(): void;
  requestsInFlight(): number;
  /** Called once a minute at most. */
  onExhausted(): void;
}

const LOOK_EVERY_MS = 250;
const LOOK_EVERY_MS_WHEN_EXHAUSTED = 50;
/** Back to normal after this long without being exhausted. */
const CALM_AFTER_MS = 5000;
/** Hardly more upstream connections than this are opened between two checks. */
const SPARE_MAX = 256;
/** Kept free when clients have taken all others: for the database, which opens files on demand, and the log. */
const FREE_MIN = 16;
const TELL_EVERY_MS = 60_000;
const SHUT_RDWR = 2;
/** A connection that has sent nothing for this long since it was accepted is closed. */
const SILENT_MS = 1000;
/** All connections are checked for that, at 1 us each: this often, and in no more than this share of the time. */
const SEEK_SILENT_EVERY_MS = 200;
const SEEK_SILENT_PART = 0.05;

export class AcceptGuard {
  #timer: ReturnType<typeof setInterval> | undefined;
  #isExhausted = false;
  #exhaustedAtMs = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #seekSilentAtMs = 0;
  readonly #options: AcceptGuardOptions;
  readonly #afterAccepting = () => this.#setAside(0);

  constructor(options: AcceptGuardOptions) {
    this.#options = options;
    this.#setAside(FREE_MIN);
    this.#look(LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#options.spare.resize(0);
  }

  #look(everyMs: number): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(performance.now()), everyMs);
    this.#timer.unref();
  }

  #tick(nowMs: number): void {
    const { listening, spare, onExhausted } = this.#options;
    this.#setAside(this.#isExhausted ? 0 : FREE_MIN);
    // The last descriptors are reserved while others are left, and free while none are.
    if (!spare.hasFree(this.#isExhausted ? FREE_MIN + 1 : 1)) {
      this.#exhaustedAtMs = nowMs;
      if (!this.#isExhausted) {
        this.#isExhausted = true;
        listening.accept('never');
        this.#setAside(0);
        this.#look(LOOK_EVERY_MS_WHEN_EXHAUSTED);
        if (nowMs - this.#toldAtMs > TELL_EVERY_MS) {
          this.#toldAtMs = nowMs;
          onExhausted();
        }
      }
      this.#shed(nowMs);
    } else if (this.#isExhausted && nowMs - this.#exhaustedAtMs > CALM_AFTER_MS) {
      this.#isExhausted = false;
      this.#setAside(FREE_MIN);
      listening.accept('always');
      this.#look(LOOK_EVERY_MS);
    } else if (this.#isExhausted) {
      this.#acceptWaiting();
    }
  }

  /** Accepts the connections that wait now, but not with the last descriptors, which are held until the loop has accepted. */
  #acceptWaiting(): void {
    this.#setAside(FREE_MIN);
    this.#options.listening.accept('once');
    setImmediate(() => setImmediate(this.#afterAccepting));
  }

  /** For upstream: requests in flight have their connection, those that may still come have none. And for nobody `more`. */
  #setAside(more: number): void {
    const { spare, requestsMax, requestsInFlight } = this.#options;
    spare.resize(Math.max(0, Math.min(SPARE_MAX, requestsMax - requestsInFlight())) + more);
  }

  #shed(nowMs: number): void {
    this.#options.closeIdle();
    if (nowMs < this.#seekSilentAtMs) return;
    // Finding them takes a descriptor.
    this.#options.spare.release();
    for (const fd of this.#options.listening.accepted()) if (isSilent(fd)) libc()?.shutdown(fd, SHUT_RDWR);
    const tookMs = performance.now() - nowMs;
    this.#seekSilentAtMs = nowMs + Math.max(SEEK_SILENT_EVERY_MS, tookMs / SEEK_SILENT_PART);
  }
}

const info = new DataView(new ArrayBuffer(232));
const infoLength = new Uint32Array(1);
/** In `struct tcp_info`: tcpi_last_data_recv, milliseconds, and tcpi_bytes_received. */
const LAST_DATA_RECEIVED_AT = 52;
const BYTES_RECEIVED_AT = 128;

/** Whether a client has connected a while ago and never sent a byte: Bun does not count it as idle. */
function isSilent(fd: number): boolean {
  infoLength[0] = info.byteLength;
  if (libc()?.getsockopt(fd, IPPROTO_TCP, TCP_INFO, ptr(info), ptr(infoLength)) !== 0) return false;
  if (infoLength[0]! < BYTES_RECEIVED_AT + 8) return false;
  return info.getBigUint64(BYTES_RECEIVED_AT, true) === 0n && info.getUint32(LAST_DATA_RECEIVED_AT, true) >= SILENT_MS;
}
