/** deploy/helm: rendered by helm itself with several values, and what comes out is what the gateway takes. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { resolve } from 'node:path';
import { runBve } from '../support/gateway.ts';

setDefaultTimeout(30_000);

const CHART = resolve(import.meta.dir, '../../deploy/helm/bve-gateway');
const HELM = Bun.which('helm', { PATH: `${process.env.PATH}:/usr/local/bin:${process.env.HOME}/go/bin` });
if (HELM === null) console.log('skipped: helm is not installed (go install helm.sh/helm/v3/cmd/helm@v3.19.2)');

// biome-ignore lint/suspicious/noExplicitAny: what a test reads of a manifest is what it tests.
type Manifest = any;

function helm(...args: string[]): { readonly code: number; readonly out: string; readonly err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([HELM!, ...args]);
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

function render(...values: string[]): Map<string, Manifest> {
  const { code, out, err } = helm('template', 'bve', CHART, ...values.flatMap((value) => ['--set', value]));
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const manifests = out
    .split(/^---$/m)
    .map((part) => Bun.YAML.parse(part) as Manifest)
    .filter(Boolean);
  return new Map(manifests.map((manifest) => [manifest.kind as string, manifest]));
}
const containerOf = (manifests: Map<string, Manifest>) => manifests.get('Deployment').spec.template.spec.containers[0];

describe.skipIf(HELM === null)('the chart', () => {
  test('is one that helm finds nothing wrong with', () => {
    expect(helm('lint', '--strict', CHART).code).toBe(0);
  });

  test('by default has a deployment, a service and a disruption budget; the rest when it is asked for', () => {
    expect([...render().keys()].sort()).toEqual(['Deployment', 'PodDisruptionBudget', 'Service']);
    const all = render('autoscaling.enabled=true', 'metrics.serviceMonitor=true');
    expect([...all.keys()].sort()).toEqual([
      'Deployment',
      'HorizontalPodAutoscaler',
      'PodDisruptionBudget',
      'Service',
      'ServiceMonitor',
    ]);
    // Who scales it sets the number.
    expect(all.get('Deployment').spec.replicas).toBeUndefined();
  });

  test('gives a pod longer to end than the gateway may take, and no privileges', () => {
    const pod = render().get('Deployment').spec.template.spec;
    const value = (name: string) => Number(pod.containers[0].env.find((one: Manifest) => one.name === name).value);
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(
      value('DRAIN_TIMEOUT_MS') + value('READY_GRACE_MS') + 2_000,
    );
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10_001 });
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('selects the pods that it makes, by the ports that they have', () => {
    const all = render('metrics.serviceMonitor=true');
    const { labels } = all.get('Deployment').spec.template.metadata;
    for (const selector of [
      all.get('Service').spec.selector,
      all.get('PodDisruptionBudget').spec.selector.matchLabels,
    ]) {
      expect(labels).toMatchObject(selector);
    }
    const ports = containerOf(all).ports.map(({ name }: Manifest) => name);
    for (const { targetPort } of all.get('Service').spec.ports) expect(ports).toContain(targetPort);
  });

  test('its environment is one that the gateway takes', async () => {
    const { env } = containerOf(render('secretHas.adminApiKey=true', 'env.LOG_SAMPLE=0.5', 'workers=2'));
    const secrets: Record<string, string> = {
      'fuelix-api-key': 'fx',
      'api-key-pepper': 'a-pepper-of-the-test',
      'admin-api-key': 'an-admin-key',
      'database-url': 'sqlite://bve.db',
      'redis-url': 'redis://127.0.0.1:1',
    };
    const given = Object.fromEntries(
      env.map(({ name, value, valueFrom }: Manifest) => [name, value ?? secrets[valueFrom.secretKeyRef.key]]),
    );
    const checked = await runBve(['check', '--json'], { ...given, USAGE_SPILL_DIR: '/tmp' });
    expect(checked.exitCode).toBe(0);
    const config = JSON.parse(checked.stdout);
    for (const { name } of env) expect([name, config[name.toLowerCase()]?.source]).toEqual([name, 'environment']);
  });

  test('refuses values that cannot work', () => {
    for (const [values, complaint] of [
      [['secretHas.redisUrl=false'], 'needs redis-url in the secret'],
      [['replicas=0'], 'replicas'],
      [['nonsense=1'], 'nonsense'],
    ] as const) {
      const { code, err } = helm('template', 'bve', CHART, ...values.flatMap((value) => ['--set', value]));
      expect([code, err]).toEqual([1, expect.stringContaining(complaint)]);
    }
  });
});
