/** What a process holds: memory, file descriptors, and sockets as `ss` counts them (the kernel's own table). */
import { readdirSync, readFileSync } from 'node:fs';
import { memoryBytes, processTree } from '../suite/process-cost.ts';
import { nowMs } from './outcome.ts';

export interface Vitals {
  readonly atMs: number;
  /** Of all processes of the gateway together. */
  readonly rssBytes: number;
  readonly descriptors: number;
  /** Of the gateway's port and those of its targets, but those that listen or only wait for stray packets (TIME-WAIT). */
  readonly sockets: number;
}

export function vitalsOf(pid: number, ports: readonly number[]): Vitals {
  const pids = processTree(pid);
  return {
    atMs: nowMs(),
    rssBytes: memoryBytes(pids, 'VmRSS'),
    descriptors: pids.reduce((sum, each) => sum + descriptorsOf(each), 0),
    sockets: socketsOf(ports),
  };
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    // It has just ended.
    return 0;
  }
}

const TIME_WAIT = '06';
const LISTEN = '0A';

function socketsOf(ports: readonly number[]): number {
  const ours = new Set(ports.map((port) => port.toString(16).toUpperCase().padStart(4, '0')));
  const portOf = (address: string | undefined) => address?.slice(-4) ?? '';
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .slice(1)
    .filter((line) => {
      const [, local, remote, state] = line.trim().split(/\s+/);
      if (state === undefined || state === TIME_WAIT || state === LISTEN) return false;
      return ours.has(portOf(local)) || ours.has(portOf(remote));
    }).length;
}

/** Straight line through points by least squares: how much y grows per unit of x. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const count = points.length;
  if (count < 2) return 0;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const sxy = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const sxx = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return sxx === 0 ? 0 : sxy / sxx;
}
