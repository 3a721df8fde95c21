/** `bve targets`: the upstream targets of a running gateway and how they are, from its admin API. */
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { localUrl, reachableHost } from '../config/address.ts';
import { loadAdminAccess } from '../config/load.ts';
import { print, printJson } from '../output.ts';
import { type Arguments, type Command, CommandFailure, textFlag, UsageError } from './command.ts';
import { CONFIG, JSON_OUTPUT } from './keys-database.ts';
import { printable } from './keys-table.ts';
import { textTable } from './text-table.ts';

interface TargetRow {
  readonly name: string;
  readonly state: string;
  readonly in_flight: number;
  readonly attempts: number;
  readonly failures: number;
  readonly quota_available: number | null;
  readonly quota_reset: string | null;
  readonly rests_until: string | null;
}

const TIMEOUT_MS = 5000;
const ANSWER_BYTES_MAX = 1024 * 1024;

export const targets: Command = {
  name: 'targets',
  summary: 'show the upstream targets of a running gateway',
  options: {
    url: { type: 'string', value: 'URL', help: 'address of the gateway [that of HOST and PORT on this machine]' },
    json: { ...JSON_OUTPUT, help: 'the object of GET /admin/targets, for scripts' },
    config: CONFIG,
  },
  details: `Asks the admin API, so it needs ADMIN_API_KEY (environment or file). A target is up, resting (it gets no requests until the
time that is shown), or probing (one request finds out whether it works again).`,
  async run(args) {
    const { host, port, adminApiKey } = loadAdminAccess({ configFile: textFlag(args, 'config'), flags: {} });
    if (adminApiKey === null) throw new CommandFailure('ADMIN_API_KEY is required');
    const base = urlFrom(args) ?? localUrl(reachableHost(host), port);
    const answer = await adminAnswer(`${base}/admin/targets`, adminApiKey);
    if (args.flags.json) printJson(answer);
    else print(tableOf(answer.targets));
    return 0;
  },
};

function urlFrom(args: Arguments): string | null {
  const text = textFlag(args, 'url');
  if (text === undefined) return null;
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new UsageError(`--url takes an http:// or https:// URL, not '${text}'`);
  return url.origin + url.pathname.replace(/\/+$/, '');
}

/** Uses node:http because fetch would go through an HTTP proxy from the environment. */
async function adminAnswer(url: string, adminApiKey: string): Promise<{ targets: TargetRow[] }> {
  const { status, text } = await fetched(url, adminApiKey);
  const body = parsed(text);
  if (status === 200 && Array.isArray((body as { targets?: unknown } | null)?.targets))
    return body as { targets: TargetRow[] };
  const message = (body as { error?: { message?: unknown } } | null)?.error?.message;
  throw new CommandFailure(`${url} answered ${status}${typeof message === 'string' ? `: ${printable(message)}` : ''}`);
}

function fetched(url: string, adminApiKey: string): Promise<{ status: number; text: string }> {
  const get = url.startsWith('https:') ? getHttps : getHttp;
  return new Promise((resolve, reject) => {
    const failed = (reason: string) => reject(new CommandFailure(`cannot ask ${url}: ${reason}`));
    const headers = { authorization: `Bearer ${adminApiKey}` };
    const request = get(url, { headers, timeout: TIMEOUT_MS, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > ANSWER_BYTES_MAX) request.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', (error) => failed(error.message));
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error) => failed(error.message));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function tableOf(rows: readonly TargetRow[]): string {
  const heading = ['NAME', 'STATE', 'IN FLIGHT', 'ATTEMPTS', 'FAILURES', 'QUOTA', 'RESTS UNTIL'];
  const cells = rows.map((row) => [
    row.name,
    row.state,
    String(row.in_flight),
    String(row.attempts),
    String(row.failures),
    row.quota_available === null ? '-' : String(row.quota_available),
    row.rests_until ?? '-',
  ]);
  return textTable([heading, ...cells.map((row) => row.map(printable))], [2, 3, 4, 5]);
}
