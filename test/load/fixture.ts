/** A mock and short load tests against it, with everything that was opened closed again afterwards. */
import { afterEach } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Load } from '../../src/load/load.ts';
import { type PlanOptions, planOf } from '../../src/load/plan.ts';
import { type Report, reportOf } from '../../src/load/report-data.ts';
import type { Scenario } from '../../src/mock/scenario.ts';
import { type MockOptions, type MockServer, startMock } from '../../src/mock/server.ts';

const servers: MockServer[] = [];
const folders: string[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function mockServer(options: MockOptions = {}): MockServer {
  const server = startMock({ port: 0, ...options });
  servers.push(server);
  return server;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bve-bench-'));
  folders.push(folder);
  return folder;
}

/** This many streams, due within 0.1 s. */
export function streams(count: number): PlanOptions {
  return { arrivals: { kind: 'open', ratePerS: count / 0.1, rampS: 0 }, durationS: 0.1, timeoutS: 5 };
}

export async function measured(
  url: string,
  options: PlanOptions,
  whileRunning: (load: Load) => void = () => {},
): Promise<{ load: Load; report: Report }> {
  const load = new Load(planOf(url, options));
  const ended = load.run();
  whileRunning(load);
  await ended;
  return { load, report: reportOf(load, load.ownLoad.cpuShare()) };
}

/** The report of this many streams that all get the scenario. */
export async function reportOfScenario(scenario: Scenario, count = 100, options: PlanOptions = {}): Promise<Report> {
  const server = mockServer();
  return (await measured(server.url, { ...streams(count), body: { mock: scenario }, ...options })).report;
}
